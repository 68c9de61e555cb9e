# SPDX-License-Identifier: Apache-2.0
from hwgen.report.limits import limits
from hwgen.report.schema import Report


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
