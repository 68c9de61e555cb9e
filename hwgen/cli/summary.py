# SPDX-License-Identifier: Apache-2.0
"""Reports and verifications as tables for the terminal."""

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hwgen.report.comparison import compare
from hwgen.report.figures import (
    RESOURCE_NAMES,
    count,
    figure,
    percent,
    rates,
    run_name,
    shares,
    signed_percent,
    timing_text,
)
from hwgen.report.schema import Fidelity, Pruning, Report, Resources, RtlResult


def headline(report: Report) -> Table:
    """Speed and size in a few lines."""
    table = _pairs(escape(f"{report.model} on {report.board}"))
    compared = compare(report).total
    cycles, known = compared.known, "predicted" if compared.measured is None else "measured"
    clock, fps = rates(report)[-1]
    table.add_row(
        "speed",
        f"[bold]{figure(fps)} images/s[/], {figure(cycles / clock / 1e3)} ms {run_name(report)} "
        f"({known}, {clock:g} MHz)",
    )
    table.add_row(
        "cycles",
        f"{compared.predicted:,} predicted"
        + (f", {cycles:,} measured" if compared.measured is not None else "")
        + (f"; {cycles / report.batch:,.0f} {known} an image" if report.batch > 1 else ""),
    )
    table.add_row(
        "work",
        f"{report.macs / 1e6:,.1f} M multiplications, {report.parameters:,} parameters; "
        f"{percent(report.batch * report.macs / (cycles * report.lanes**2))} of the {report.lanes} "
        f"x {report.lanes} array is used",
    )
    if report.pruning:
        table.add_row("tokens", tokens(report.pruning))
    device = report.resources.device
    table.add_row("resources", f"{_amounts(report.resources.predicted, device)} (predicted)")
    if report.timing:
        table.add_row("", f"{_amounts(report.resources.synth, device)} (Vivado)")
        colour = "green" if report.timing.met else "red"
        table.add_row("timing", f"[{colour}]{timing_text(report.timing)}[/] (Vivado)")
    if report.fidelity.metric:
        table.add_row("accuracy", accuracy(report.fidelity))
    csim, rtl = report.verification.csim, report.verification.rtl
    if csim:
        table.add_row(
            "C simulation",
            f"[green]equal[/], bit for bit: {count(csim.images)}, {csim.instructions} "
            "instructions compared one by one",
        )
    if rtl:
        table.add_row(
            "RTL simulation",
            f"[green]equal[/], bit for bit: {count(rtl.images)}, from image in memory to logits "
            "in memory" + ("" if rtl.array == "faithful" else " (array: C++ twin)"),
        )
    return table


def _amounts(used: Resources, device: Resources) -> str:
    return ", ".join(
        f"{getattr(used, name):,} {RESOURCE_NAMES[name]} ({percent(share, 0)})"
        for name, share in shares(used, device).items()
    )


def tokens(pruning: Pruning) -> str:
    """What token selection did, in a few lines."""
    first = pruning.selectors[0].rows_in
    rows = ", then ".join(
        f"{spread.mean:.0f} ({spread.least} to {spread.most})"
        for spread in (selector.rows_out for selector in pruning.selectors)
    )
    share = sum(selector.share for selector in pruning.selectors)
    return (
        f"{first.mean:.0f} rows, then {rows}, on average over {count(pruning.images)}; "
        f"{pruning.cycles_mean:,.0f} cycles predicted on average, {pruning.cycles_most:,} at most; "
        f"selectors take {percent(share)}"
    )


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
    compared = compare(report)
    table.add_row(
        "cycles",
        f"[bold]{rtl.cycles:,}[/] for {run_name(report)} (predicted "
        f"{report.cycles.predicted:,}: {signed_percent(compared.total.error)})",
    )
    table.add_row(
        "images/s", ", ".join(f"{fps:,.1f} at {clock:g} MHz" for clock, fps in rates(report))
    )
    table.add_row("array", f"{percent(rtl.utilisation)} of its multiplications are work")
    waits = ", ".join(
        f"{cause.replace('_', ' ')} {measured:,} ({predicted:,})"
        for cause, predicted, measured in compared.stalls
        if measured
    )
    table.add_row("waiting", f"{waits} (in brackets: predicted)" if waits else "never")
    if compared.worst is not None:
        worst = report.instructions[compared.worst]
        table.add_row(
            "predicted worst",
            f"instruction {worst.index} ({worst.block}, {worst.part}): "
            f"{signed_percent(compared.instructions[compared.worst].error)}, of those with 1% of "
            "an image's cycles or more",
        )
    table.add_row("memory", f"{rtl.memory}; {rtl.bytes_moved:,} bytes moved")
    return table


def limits(report: Report) -> Text:
    """What the figures do not say."""
    return Text("\n".join(f"- {limit}" for limit in report.limits), style="dim")


def listing(report: Report) -> Table:
    """The disassembled program."""
    compared = compare(report)
    measured = compared.total.measured is not None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right", style="dim")
    table.add_column("instruction", overflow="fold", ratio=1)
    for name in ("measured", "predicted", "off by", "share") if measured else ("cycles", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    for item, cycles in zip(report.instructions, compared.instructions, strict=True):
        opcode, _, fields = item.text.partition(" ")
        text = Text(", ".join(dict.fromkeys((item.block, item.part))))
        text.append(f"  {item.label}\n", style="dim")
        text.append(f"{opcode} ", style="bold cyan").append(fields)
        figures: list[str | Text] = [f"{cycles.known:,}"]
        if measured:
            error = Text(signed_percent(cycles.error), style="dim" if cycles.small else "")
            figures += [f"{cycles.predicted:,}", error]
        share = percent(cycles.known / (compared.total.known or 1))
        table.add_row(str(item.index), text, *figures, share)
    return table


def _pairs(title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    table.show_header = False
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    return table
