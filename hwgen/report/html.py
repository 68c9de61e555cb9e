# SPDX-License-Identifier: Apache-2.0
"""``report.html``: one readable page made from a Report, with everything it needs inside."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from hwgen.emit.templates import render
from hwgen.report import tracks
from hwgen.report.comparison import Comparison, Cycles, compare
from hwgen.report.figures import (
    RESOURCE_NAMES,
    count,
    figure,
    percent,
    rates,
    run_name,
    saved,
    shares,
    signed_percent,
    timing_text,
)
from hwgen.report.parts import PARTS
from hwgen.report.pictures_page import strips
from hwgen.report.schema import InstructionReport, Report, Resources
from hwgen.report.token_plots import histograms, scatter


@dataclass(frozen=True)
class Segment:
    """A piece of a bar: ``percent`` of the chart's width, colour class, and what it says."""

    style: str
    percent: float
    title: str


@dataclass(frozen=True)
class Bar:
    """A horizontal bar with a name in front, a figure behind it, and a line at ``mark``."""

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
    cycles: Cycles
    error: str
    share: float


def html(report: Report) -> bytes:
    """The page, UTF-8. The same report gives the same bytes."""
    compared = compare(report)
    made = {
        i.part for i, c in zip(report.instructions, compared.instructions, strict=True) if c.known
    }
    parts = [part for part in PARTS if part in made]
    styles = {part: f"c{index % 8}" for index, part in enumerate(parts)}
    total = compared.total.known
    pruned = report.pruning
    return render(
        "report/report.html.j2",
        report=report,
        rtl=report.verification.rtl,
        total=compared.total,
        error=signed_percent(compared.total.error),
        run=run_name(report),
        predicted_fps=figure(report.fps),
        fps=figure(report.batch * report.clock_mhz * 1e6 / total),
        latency=figure(total / report.clock_mhz / 1e3),
        rates=rates(report),
        utilisation=percent(report.batch * report.macs / (total * report.lanes**2)),
        fullest=_fullest(report),
        fidelity=fidelity_text(report),
        agreement=agreement_text(report, compared),
        legend=list(styles.items()),
        drawing=tracks.draw(report, styles),
        worst=compared.worst if report.verification.rtl else None,
        blocks=_block_bars(report.instructions, compared, styles),
        array=_array(report, compared),
        waiting=_waiting(compared),
        timing=timing_text(report.timing) if report.timing else "",
        whole=_whole_design(report),
        resources=_resource_bars(report),
        modules=report.resources.modules,
        pruned=pruned,
        saved=percent(saved(pruned)) if pruned else "",
        strips=strips(pruned, report.batch) if pruned else (),
        histograms=histograms(pruned) if pruned else None,
        scatter=scatter(report, pruned) if pruned else None,
        images=count(pruned.images) if pruned else "",
        rows=[
            _row(item, cycles, total)
            for item, cycles in zip(report.instructions, compared.instructions, strict=True)
        ],
    )


def fidelity_text(report: Report) -> str | None:
    """One sentence about accuracy; None while nothing is known."""
    f = report.fidelity
    if f.metric is None:
        return None
    agree = f"Both choose the same class on {percent(f.agreement, 2)} of {f.images:,} images."
    if f.metric == "agreement":
        return agree
    return f"Top-1: float {percent(f.float_, 2)}, int8 {percent(f.quantised, 2)}. {agree}"


def agreement_text(report: Report, compared: Comparison) -> str | None:
    """How well the cycles were predicted; None while none were measured."""
    if compared.total.error is None:
        return None
    text = f"The prediction of the run is {signed_percent(compared.total.error)} off."
    if compared.worst is None:
        return text
    worst = report.instructions[compared.worst]
    error = signed_percent(compared.instructions[compared.worst].error)
    return (
        f"{text} Of the instructions that take 1% of an image's cycles or more, number "
        f"{worst.index} ({worst.block}, {worst.part}) is predicted worst: {error}. Smaller ones "
        "are grey."
    )


def _fullest(report: Report) -> dict[str, str]:
    """Name and share of the resource that is nearest to its limit."""
    found = shares(report.resources.predicted, report.resources.device)
    name = max(found, key=lambda key: found[key])
    return {"name": RESOURCE_NAMES[name], "share": percent(found[name], 0)}


def _block_bars(
    instructions: Iterable[InstructionReport], compared: Comparison, styles: dict[str, str]
) -> list[Bar]:
    """Cycles of each block, a segment for each part; the longest bar is 100 % wide."""
    blocks: dict[str, Counter[str]] = {}
    predicted: Counter[str] = Counter()
    for item, cycles in zip(instructions, compared.instructions, strict=True):
        blocks.setdefault(item.block, Counter())[item.part] += cycles.known
        predicted[item.block] += cycles.predicted
    measured = compared.total.measured is not None
    totals = {name: block.total() for name, block in blocks.items()}
    longest = max((*totals.values(), *predicted.values()), default=0) or 1
    return [
        Bar(
            name,
            f"{totals[name]:,}",
            tuple(
                Segment(styles[part], 100 * cycles / longest, f"{name}, {part}: {cycles:,} cycles")
                for part, cycles in block.items()
                if cycles
            ),
            100 * predicted[name] / longest if measured else None,
        )
        for name, block in blocks.items()
        if totals[name]
    ]


def _array(report: Report, compared: Comparison) -> list[Bar]:
    """What the array does with its cycles; the mark is the prediction."""
    total, (predicted, measured) = compared.total, compared.busy
    useful = report.batch * report.macs / report.lanes**2
    amounts = (
        ("multiplying", useful, useful, "good"),
        ("padding of edges", predicted - useful, (measured or 0) - useful, "pad"),
        ("waiting", total.predicted - predicted, (total.measured or 0) - (measured or 0), "wait"),
    )
    return [
        _bar(name, style, max(before, 0) / total.predicted, max(after, 0) / total.measured)
        if total.measured
        else _bar(name, style, max(before, 0) / (total.predicted or 1))
        for name, before, after, style in amounts
    ]


def _bar(name: str, style: str, predicted: float, measured: float | None = None) -> Bar:
    """Shares of a run."""
    if measured is None:
        text, share, mark = percent(predicted), predicted, None
    else:
        text, share = f"{percent(measured)} ({percent(predicted)})", measured
        mark = 100 * predicted
    return Bar(name, text, (Segment(style, 100 * share, f"{name}: {text}"),), mark)


def _waiting(compared: Comparison) -> list[Bar]:
    """Cycles by cause of waiting; the largest is 100 % wide, the mark is the prediction."""
    known = [(c, p, p if m is None else m) for c, p, m in compared.stalls if p or m]
    longest = max((max(p, cycles) for _, p, cycles in known), default=0) or 1
    measured = compared.total.measured is not None
    return [
        Bar(
            cause.replace("_", " "),
            f"{cycles:,} ({predicted:,})" if measured else f"{cycles:,}",
            (Segment("wait", 100 * cycles / longest, f"{cause}: {cycles:,} cycles"),),
            100 * predicted / longest if measured else None,
        )
        for cause, predicted, cycles in known
    ]


def _resource_bars(report: Report) -> list[Bar]:
    """Share of the device; the mark is what the engine may take."""
    resources = report.resources
    allowed = shares(resources.limits, resources.device)
    found = (
        ("", resources.predicted),
        (" (Yosys)", resources.yosys),
        (" (Vivado)", resources.synth),
    )
    bars = []
    for note, used in found:
        for name, share in shares(used or Resources(), resources.device).items():
            text = f"{getattr(used, name):,} of {getattr(resources.device, name):,}"
            title = RESOURCE_NAMES[name] + note
            limit = allowed.get(name)
            style = "wait" if limit is not None and share > limit else "c2" if note else "c0"
            segment = Segment(style, 100 * min(share, 1.0), f"{title}: {text}")
            mark = None if limit is None else 100 * limit
            bars.append(Bar(title, f"{text} ({percent(share, 0)})", (segment,), mark))
    return bars


def _whole_design(report: Report) -> str:
    """What the whole design takes, in a sentence."""
    resources = report.resources
    taken = ", ".join(
        f"{getattr(resources.synth_design, name):,} {RESOURCE_NAMES[name]} ({percent(share, 0)})"
        for name, share in shares(resources.synth_design, resources.device).items()
    )
    return f"The whole design with its interconnect: {taken}." if taken else ""


def _row(instruction: InstructionReport, cycles: Cycles, total: int) -> Row:
    """Splits the disassembly into its fields."""
    fields = (word.partition("=") for word in instruction.text.split()[1:])
    return Row(
        instruction,
        ", ".join(dict.fromkeys((instruction.block, instruction.part))),
        tuple((name, value) for name, _, value in fields),
        cycles,
        signed_percent(cycles.error),
        100 * cycles.known / (total or 1),
    )
