# SPDX-License-Identifier: Apache-2.0
from hwgen.report.limits import limits
from hwgen.report.schema import Report, Resources, Timing


def test_a_report_as_built(report: Report) -> None:
    text = " ".join(limits(report))
    assert report.limits == limits(report)
    assert "RTL simulation has not confirmed them" in text
    assert "Vitis HLS and Vivado have not been run" in text
    assert "fashion-vit is a preset with random weights" in text
    trained = report.model_copy(update={"source": "model.onnx"})
    assert "random weights" not in " ".join(limits(trained))


def test_after_rtl_simulation_nothing_denies_it(measured: Report) -> None:
    text = " ".join(measured.limits)
    assert "has not confirmed" not in text
    assert "RTL simulation (2 images) with a model of the memory (42 bytes a cycle)" in text
    assert "multipliers of the array were C++" in text
    rtl = measured.verification.rtl
    assert rtl is not None
    faithful = rtl.model_copy(update={"array": "faithful"})
    verification = measured.verification.model_copy(update={"rtl": faithful})
    again = measured.model_copy(update={"verification": verification})
    assert "were C++" not in " ".join(limits(again))


def test_after_vivado(report: Report) -> None:
    timing = Timing(
        engine="rtl",
        clock_mhz=300,
        worst_slack_ns=0.041,
        worst_hold_slack_ns=0.01,
        achieved_mhz=303.8,
        failing_endpoints=0,
        met=True,
    )
    resources = report.resources.model_copy(update={"synth": Resources(lut=1)})
    routed = report.model_copy(update={"timing": timing, "resources": resources})
    text = " ".join(limits(routed))
    assert "Vivado have not been run" not in text
    assert "routed the SystemVerilog engine, and 300 MHz are met; no board has been run" in text
    assert "Resources are predicted, and as Vivado reports them." in text

    slow = {"engine": "hls", "worst_slack_ns": -0.287, "achieved_mhz": 276.2, "met": False}
    text = " ".join(limits(routed.model_copy(update={"timing": timing.model_copy(update=slow)})))
    assert "the C++ engine, and it does not meet 300 MHz (276.2 MHz would do)" in text
    assert "there is no bitstream" in text
