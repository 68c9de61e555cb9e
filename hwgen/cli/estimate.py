# SPDX-License-Identifier: Apache-2.0
"""``hwgen estimate``."""

from collections import Counter
from pathlib import Path

from rich import box
from rich.table import Table

from hwgen.cli.console import out, progress
from hwgen.design import open_design
from hwgen.report.html import percent
from hwgen.report.schema import Report, Resources, SynthesisedModule
from hwgen.synthesis.delay import Delay

KINDS = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram36": "BRAM36"}


def run(directory: Path, synthesise: bool) -> None:
    """Shows the predictions of a written design, beside what Yosys makes of its engine."""
    design = open_design(directory)
    if synthesise:
        with progress() as update:
            design.estimate(update)
    report = design.summary
    console = out()
    console.print(cycles_by_cause(report))
    console.print(synthesised(report) if report.resources.yosys else predicted(report))
    if report.resources.yosys:
        console.print(verdict(report))


def cycles_by_cause(report: Report) -> Table:
    """Predicted cycles in which rows enter the array, and the others by cause."""
    stalls: Counter[str] = Counter()
    for instruction in report.instructions:
        stalls.update(instruction.stalls)
    total = report.cycles.predicted
    table = _table("predicted cycles", "cycles", "share")
    for name, count in [("rows", total - stalls.total()), *stalls.most_common()]:
        table.add_row(name.replace("_", " "), f"{count:,}", percent(count / (total or 1)))
    table.add_section()
    table.add_row("total", f"{total:,}", "")
    return table


def predicted(report: Report) -> Table:
    """The prediction part by part, and the board's limits."""
    resources = report.resources
    table = _table("predicted resources", *KINDS.values())
    for module in resources.modules:
        table.add_row(module.name, *(_count(module, kind) for kind in KINDS))
    table.add_section()
    table.add_row("total", *(_count(resources.predicted, kind) for kind in KINDS))
    table.add_row(f"limit of {report.board}", *(_count(resources.limits, kind) for kind in KINDS))
    return table


def synthesised(report: Report) -> Table:
    """Prediction and synthesis side by side, and each part's worst path."""
    resources, yosys = report.resources, report.resources.yosys
    assert yosys is not None
    columns = [name for kind in KINDS.values() for name in (f"{kind} predicted", "Yosys")]
    table = _table("resources", *columns, "worst path", "")
    by_name = {module.name: module for module in resources.modules}
    for module in yosys.modules:
        prediction = by_name.get(module.name, Resources())
        table.add_row(
            module.name, *_pairs(prediction, module), str(_delay(module)), _mark(module.allowed)
        )
    table.add_section()
    table.add_row("total", *_pairs(resources.predicted, yosys), "", "")
    errors = (_error(resources.predicted, yosys, kind) for kind in KINDS)
    table.add_row("error", *(cell for error in errors for cell in (error, "")), "", "")
    limits = (_count(resources.limits, kind) for kind in KINDS)
    table.add_row(
        f"limit of {report.board}", *(cell for limit in limits for cell in ("", limit)), "", ""
    )
    return table


def verdict(report: Report) -> str:
    """Whether the engine keeps the limits, in a sentence."""
    resources, yosys = report.resources, report.resources.yosys
    assert yosys is not None
    beyond = [
        name
        for kind, name in KINDS.items()
        if (limit := getattr(resources.limits, kind)) is not None
        and (getattr(yosys, kind) or 0) > limit
    ]
    slow = [f"{m.name} ({_delay(m)}, {m.path})" for m in yosys.modules if not m.allowed]
    if not beyond and not slow:
        return "[green]Within the limits[/]: resources, and every path from register to register."
    problems = [f"too many {', '.join(beyond)}"] if beyond else []
    problems += [f"paths too long: {', '.join(slow)}"] if slow else []
    return f"[yellow]Beyond the limits[/]: {'; '.join(problems)}."


def _table(title: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(title, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right")
    return table


def _count(resources: Resources, kind: str) -> str:
    value = getattr(resources, kind)
    return "-" if value is None else f"{value:,}"


def _pairs(prediction: Resources, found: Resources) -> list[str]:
    return [_count(side, kind) for kind in KINDS for side in (prediction, found)]


def _error(prediction: Resources, found: Resources, kind: str) -> str:
    ours, theirs = getattr(prediction, kind) or 0, getattr(found, kind)
    return f"{100 * (ours / theirs - 1):+.1f}%" if theirs else "-"


def _delay(module: SynthesisedModule) -> Delay:
    return Delay(module.luts, module.carry_chains, module.products)


def _mark(allowed: bool) -> str:
    return "[green]ok[/]" if allowed else "[red]too long[/]"
