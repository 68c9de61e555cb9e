# SPDX-License-Identifier: Apache-2.0
"""``hwgen latency-table``."""

from pathlib import Path

from rich import box
from rich.table import Table

from hwgen.cli.console import out, progress, show_paths
from hwgen.errors import ConfigError, OutputError
from hwgen.latency_table.make import latency_table
from hwgen.latency_table.measure import Level
from hwgen.prune.latency import LatencyTable
from hwgen.report.figures import figure


def run(
    model: str,
    output: Path,
    level: Level,
    keep: str,
    batch: int | None,
    board: str | None,
    config: Path | None,
) -> None:
    """Measures, writes and shows the table."""
    ratios = _ratios(keep)
    if not output.parent.is_dir() or output.is_dir():
        raise OutputError(
            f"{output} cannot be written: "
            + ("it is a folder." if output.is_dir() else f"there is no folder {output.parent}.")
            + " Name a file in a folder that exists."
        )
    if output.resolve() == Path(model).resolve():
        raise OutputError(f"{output} is the model itself; name another file.")
    with progress() as update:
        table = latency_table(model, ratios, level, board, config, batch, update)
    table.save(output)
    out().print(
        f"{table.model}, ms an image ({table.clock_mhz:g} MHz, batch {table.batch})", soft_wrap=True
    )
    out().print(show(table))
    show_paths(table=output)


def _ratios(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--keep {text} is no list of keep ratios. Give numbers above 0 and up to 1 with "
            "commas between them, as 1.0,0.9,0.8."
        ) from None


def show(table: LatencyTable) -> Table:
    """Milliseconds of each block at each keep ratio, and of a selector."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("keep ratio", no_wrap=True)
    for ratio in table.keep_ratios:
        shown.add_column(f"{ratio:g}", justify="right", no_wrap=True)
    for number, cycles in enumerate(table.block_cycles, 1):
        shown.add_row(f"block {number}", *(figure(table.milliseconds(c)) for c in cycles))
    shown.add_section()
    selector = table.selector_cycles[0]
    shown.add_row("selector", *(figure(table.milliseconds(c)) for c in selector))
    return shown
