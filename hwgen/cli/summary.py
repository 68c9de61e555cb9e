# SPDX-License-Identifier: Apache-2.0
"""Reports and verifications as tables for the terminal."""

from collections import Counter

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hwgen.report.html import RESOURCE_NAMES, figure, percent, shares
from hwgen.report.schema import Fidelity, Report, RtlResult


def headline(report: Report) -> Table:
    """Speed and size in a few lines."""
    table = _pairs(escape(f"{report.model} on {report.board}"))
    table.add_row(
        "speed",
        f"[bold]{figure(report.fps)} images/s[/], {figure(report.latency_ms)} ms "
        f"{_run(report)} (predicted, {report.clock_mhz:g} MHz)",
    )
    measured = report.cycles.measured
    table.add_row(
        "cycles",
        f"{report.cycles.predicted:,} predicted"
        + (f", {measured:,} measured" if measured is not None else "")
        + (f"; {report.cycles_per_image:,.0f} predicted an image" if report.batch > 1 else ""),
    )
    table.add_row(
        "work",
        f"{report.macs / 1e6:,.1f} M multiplications, {report.parameters:,} parameters; "
        f"{percent(report.mac_utilisation)} of the {report.lanes} x {report.lanes} array is used",
    )
    used, device = report.resources.predicted, report.resources.device
    table.add_row(
        "resources",
        ", ".join(
            f"{getattr(used, name):,} {RESOURCE_NAMES[name]} ({percent(share, 0)})"
            for name, share in shares(used, device).items()
        )
        + " (predicted)",
    )
    if report.fidelity.metric:
        table.add_row("accuracy", accuracy(report.fidelity))
    csim = report.verification.csim
    if csim:
        table.add_row(
            "C simulation",
            f"[green]equal[/], bit for bit: {csim.images} images, {csim.instructions} "
            "instructions compared one by one",
        )
    return table


def _run(report: Report) -> str:
    """What one run takes in."""
    return "an image" if report.batch == 1 else f"a run of {report.batch} images"


def accuracy(fidelity: Fidelity) -> str:
    """Accuracy in one line."""
    agree = f"both agree on {percent(fidelity.agreement, 2)} of {fidelity.images:,} images"
    if fidelity.metric == "agreement":
        return agree
    return (
        f"top-1 float {percent(fidelity.float_, 2)}, int8 {percent(fidelity.quantised, 2)}; {agree}"
    )


def accuracy_table(fidelity: Fidelity) -> Table:
    """Float and int8 side by side."""
    table = Table(box=box.SIMPLE_HEAD)
    names = ["images", "same class"]
    values = [f"{fidelity.images:,}", percent(fidelity.agreement, 2)]
    if fidelity.metric == "top-1":
        names += ["float top-1", "int8 top-1", "difference"]
        difference = 100 * ((fidelity.quantised or 0) - (fidelity.float_ or 0))
        values += [percent(fidelity.float_, 2), percent(fidelity.quantised, 2)]
        values += [f"{difference:+.2f} points"]
    for name in names:
        table.add_column(name, justify="right")
    table.add_row(*values)
    return table


def rtl_table(report: Report, rtl: RtlResult) -> Table:
    """Measured cycles and where they went, beside the prediction."""
    table = _pairs("RTL simulation")
    predicted = report.cycles.predicted
    table.add_row(
        "cycles",
        f"[bold]{rtl.cycles:,}[/] for {report.batch} image{'s' if report.batch > 1 else ''} "
        f"(predicted {predicted:,}: {100 * (predicted / rtl.cycles - 1):+.1f}%)",
    )
    rates = ", ".join(f"{fps:,.1f} at {clock} MHz" for clock, fps in rtl.fps.items())
    table.add_row("images/s", rates)
    table.add_row("array", f"{percent(rtl.utilisation)} of its multiplications are work")
    waits = ", ".join(
        f"{cause.replace('_', ' ')} {cycles:,}"
        for cause, cycles in Counter(rtl.stalls).most_common()
    )
    table.add_row("waiting", waits or "never")
    table.add_row("memory", f"{rtl.memory}; {rtl.bytes_moved:,} bytes moved")
    return table


def limits(report: Report) -> Text:
    """What the figures do not say."""
    return Text("\n".join(f"- {limit}" for limit in report.limits), style="dim")


def listing(report: Report) -> Table:
    """The disassembled program."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right", style="dim")
    table.add_column("instruction", overflow="fold", ratio=1)
    table.add_column("cycles", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    for item in report.instructions:
        opcode, _, fields = item.text.partition(" ")
        text = Text(", ".join(dict.fromkeys((item.block, item.part))))
        text.append(f"  {item.label}\n", style="dim")
        text.append(f"{opcode} ", style="bold cyan").append(fields)
        share = item.cycles / (report.cycles.predicted or 1)
        table.add_row(str(item.index), text, f"{item.cycles:,}", percent(share))
    return table


def _pairs(title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    table.show_header = False
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    return table
