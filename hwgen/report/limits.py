# SPDX-License-Identifier: Apache-2.0
"""What a report's figures do not say, from what is known so far."""

from hwgen.report.figures import count
from hwgen.report.schema import Pruning, Report, RtlResult

_PREDICTED = (
    "Cycles are predicted by a model of the engine; RTL simulation has not confirmed them "
    "(hwgen verify DIR --level rtl does)."
)
_TWIN = (
    " The multipliers of the array were C++ that is equal to them in every cycle; all else was the "
    "SystemVerilog."
)
_NO_VENDOR = (
    "Vitis HLS and Vivado have not been run, and no board. The clock is a target, not a result: "
    "whether the engine can be placed and routed at it is open."
)
_ENGINES = {"rtl": "SystemVerilog", "hls": "C++"}
_CPP = (
    "How many cycles the HLS C++ takes is unknown; all cycles here are those of the SystemVerilog "
    "engine."
)


def with_limits(report: Report) -> Report:
    """The report with its limits brought up to date."""
    return report.model_copy(update={"limits": limits(report)})


def limits(report: Report) -> tuple[str, ...]:
    """Sentences that are true of the report as it stands."""
    rtl = report.verification.rtl
    found = [_measured(rtl) if rtl else _PREDICTED, _resources(report), _vendor(report), _CPP]
    if report.pruning:
        found.append(_pruned(report.pruning))
    if report.source.startswith("preset:"):
        found.append(random_weights(report.source.removeprefix("preset:")))
    return tuple(found)


def _pruned(pruning: Pruning) -> str:
    return (
        "How many tokens stay depends on the image: speed and cycles are those of the first run; "
        f"{pruning.cycles_most:,} cycles at most are predicted."
    )


def random_weights(name: str) -> str:
    """What holds for the preset ``name``."""
    return (
        f"{name} is a preset with random weights: its speed and size are the network's, its "
        "answers mean nothing."
    )


def _measured(rtl: RtlResult) -> str:
    return (
        f"Cycles are those of RTL simulation ({count(rtl.images)}) with a model of the memory "
        f"({rtl.memory}); the memory of a board may be slower."
        + (_TWIN if rtl.array == "twin" else "")
    )


def _vendor(report: Report) -> str:
    timing = report.timing
    if timing is None:
        return _NO_VENDOR
    routed = f"Vivado placed and routed the {_ENGINES[timing.engine]} engine"
    if timing.met:
        return f"{routed}, and {timing.clock_mhz:g} MHz are met; no board has been run."
    return (
        f"{routed}, and it does not meet {timing.clock_mhz:g} MHz ({timing.achieved_mhz:g} MHz "
        "would do): there is no bitstream. Speeds at that clock are not to be had."
    )


def _resources(report: Report) -> str:
    if report.resources.synth.lut is not None:
        return "Resources are predicted, and as Vivado reports them."
    if report.resources.yosys is None:
        return "Resources are predicted; no synthesis has confirmed them."
    return "Resources are predicted, and counted by Yosys; Vivado may need more or fewer."
