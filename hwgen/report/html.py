# SPDX-License-Identifier: Apache-2.0
"""``report.html``: one readable page made from a Report, with everything it needs inside."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from hwgen.emit.templates import render
from hwgen.report.parts import PARTS
from hwgen.report.schema import InstructionReport, Report, Resources

RESOURCE_NAMES = {
    "lut": "LUT",
    "ff": "Flip-flops",
    "dsp": "DSP48E2",
    "bram36": "Block RAM",
    "uram": "UltraRAM",
}


@dataclass(frozen=True)
class Segment:
    """A piece of a bar: ``percent`` of the chart's width, colour class, and what it says."""

    style: str
    percent: float
    title: str


@dataclass(frozen=True)
class Bar:
    """A horizontal bar with a name in front, a figure behind it, and a limit marked on it."""

    name: str
    figure: str
    segments: tuple[Segment, ...]
    mark: float | None = None


@dataclass(frozen=True)
class Row:
    """An instruction as the table shows it."""

    instruction: InstructionReport
    place: str
    fields: tuple[tuple[str, str], ...]
    share: float


def html(report: Report) -> bytes:
    """The page, UTF-8. The same report gives the same bytes."""
    made = {i.part for i in report.instructions if i.cycles}
    parts = [part for part in PARTS if part in made]
    causes = _stalls(report.instructions)
    return render(
        "report/report.html.j2",
        report=report,
        fps=figure(report.fps),
        latency=figure(report.latency_ms),
        utilisation=percent(report.mac_utilisation),
        fullest=_fullest(report),
        fidelity=fidelity_text(report),
        legend=[(name, f"c{parts.index(name) % 8}") for name in parts],
        blocks=_block_bars(report.instructions, parts),
        waiting=_waiting(report, causes),
        resources=_resource_bars(report),
        modules=report.resources.modules,
        rows=[_row(i, report.cycles.predicted) for i in report.instructions],
    )


def figure(value: float) -> str:
    """A number with three significant digits or more, thousands apart."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share as a percentage; ``unknown`` where it is None."""
    return "unknown" if share is None else f"{100 * share:.{digits}f}%"


def fidelity_text(report: Report) -> str | None:
    """One sentence about accuracy; None while nothing is known."""
    f = report.fidelity
    if f.metric is None:
        return None
    agree = f"Both choose the same class on {percent(f.agreement, 2)} of {f.images:,} images."
    if f.metric == "agreement":
        return agree
    return f"Top-1: float {percent(f.float_, 2)}, int8 {percent(f.quantised, 2)}. {agree}"


def shares(used: Resources, limits: Resources) -> dict[str, float]:
    """Share of the board that each known resource takes."""
    amounts = ((name, getattr(used, name), getattr(limits, name)) for name in RESOURCE_NAMES)
    return {name: used / limit for name, used, limit in amounts if used is not None and limit}


def _fullest(report: Report) -> dict[str, str]:
    """Name and share of the resource that is nearest to its limit."""
    found = shares(report.resources.predicted, report.resources.device)
    name = max(found, key=lambda key: found[key])
    return {"name": RESOURCE_NAMES[name], "share": percent(found[name], 0)}


def _stalls(instructions: Iterable[InstructionReport]) -> Counter[str]:
    total: Counter[str] = Counter()
    for instruction in instructions:
        total.update(instruction.stalls)
    return total


def _block_bars(instructions: Iterable[InstructionReport], parts: list[str]) -> list[Bar]:
    """Cycles of each block, a segment for each part; the longest bar is 100 % wide."""
    blocks: dict[str, Counter[str]] = {}
    for instruction in instructions:
        blocks.setdefault(instruction.block, Counter())[instruction.part] += instruction.cycles
    longest = max((sum(block.values()) for block in blocks.values()), default=0) or 1
    return [
        Bar(
            name,
            f"{sum(block.values()):,}",
            tuple(
                Segment(
                    f"c{parts.index(part) % 8}",
                    100 * cycles / longest,
                    f"{name}, {part}: {cycles:,} cycles",
                )
                for part, cycles in block.items()
                if cycles
            ),
        )
        for name, block in blocks.items()
        if sum(block.values())
    ]


def _waiting(report: Report, causes: Counter[str]) -> list[Bar]:
    """What the array does with its cycles: useful work, padding, and each cause of waiting."""
    total = report.cycles.predicted or 1
    useful = report.batch * report.macs / report.lanes**2
    stalled = sum(causes.values())
    amounts = [("multiplying", useful, "good")]
    amounts += [("padding of edges", max(total - stalled - useful, 0.0), "pad")]
    amounts += [
        ("waiting: " + cause.replace("_", " "), float(cycles), "wait")
        for cause, cycles in causes.most_common()
        if cycles
    ]
    return [
        Bar(name, percent(cycles / total), (Segment(style, 100 * cycles / total, name),))
        for name, cycles, style in amounts
    ]


def _resource_bars(report: Report) -> list[Bar]:
    """Share of the device; the mark is what the engine may take."""
    resources = report.resources
    allowed = shares(resources.limits, resources.device)
    bars = []
    for kind, note in (("predicted", ""), ("synth", " (Vivado)")):
        used: Resources = getattr(resources, kind)
        for name, share in shares(used, resources.device).items():
            text = f"{getattr(used, name):,} of {getattr(resources.device, name):,}"
            title = RESOURCE_NAMES[name] + note
            limit = allowed.get(name)
            style = "wait" if limit is not None and share > limit else "c2" if note else "c0"
            segment = Segment(style, 100 * min(share, 1.0), f"{title}: {text}")
            mark = None if limit is None else 100 * limit
            bars.append(Bar(title, f"{text} ({percent(share, 0)})", (segment,), mark))
    return bars


def _row(instruction: InstructionReport, total: int) -> Row:
    """Splits the disassembly into its fields."""
    fields = (word.partition("=") for word in instruction.text.split()[1:])
    return Row(
        instruction,
        ", ".join(dict.fromkeys((instruction.block, instruction.part))),
        tuple((name, value) for name, _, value in fields),
        100 * instruction.cycles / (total or 1),
    )
