# SPDX-License-Identifier: Apache-2.0
"""``hwgen estimate``."""

from collections import Counter
from pathlib import Path

from rich import box
from rich.table import Table

from hwgen.cli.console import out, progress
from hwgen.cli.summary import tokens
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
    if report.pruning:
        console.print(f"Tokens: {tokens(report.pruning)}.")
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
    """What Yosys made of each part with its worst path, and the error of the prediction."""
    resources, yosys = report.resources, report.resources.yosys
    assert yosys is not None
    table = _table("synthesised", *KINDS.values(), "worst path")
    for module in yosys.modules:
        counts = (_count(module, kind) for kind in KINDS)
        path = str(_delay(module)) if module.allowed else f"[red]{_delay(module)}, too long[/]"
        table.add_row(module.name, *counts, path)
    table.add_section()
    table.add_row("total", *(_count(yosys, kind) for kind in KINDS))
    table.add_row("predicted", *(_count(resources.predicted, kind) for kind in KINDS))
    table.add_row("error", *(_error(resources.predicted, yosys, kind) for kind in KINDS))
    table.add_row(f"limit of {report.board}", *(_count(resources.limits, kind) for kind in KINDS))
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
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _count(resources: Resources, kind: str) -> str:
    value = getattr(resources, kind)
    return "-" if value is None else f"{value:,}"


def _error(prediction: Resources, found: Resources, kind: str) -> str:
    ours, theirs = getattr(prediction, kind) or 0, getattr(found, kind)
    return f"{100 * (ours / theirs - 1):+.1f}%" if theirs else "-"


def _delay(module: SynthesisedModule) -> Delay:
    return Delay(module.luts, module.carry_chains, module.products)
