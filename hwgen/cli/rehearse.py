# SPDX-License-Identifier: Apache-2.0
"""``hwgen rehearse``."""

from pathlib import Path

from rich import box
from rich.table import Table

from hwgen.cli.console import out, progress, show_paths
from hwgen.errors import RehearsalError
from hwgen.sim.rehearse import Rehearsed, rehearse


def run(
    package: Path,
    names: list[str],
    output: Path,
    python: Path | None,
    twin: bool,
    timeout: int,
) -> None:
    """Runs everything, shows what came of it, and raises RehearsalError where something failed."""
    with progress() as update:
        found = rehearse(
            package, names, output, update, python=python, twin=twin, timeout_s=timeout
        )
    out().print(_table(found))
    show_paths(folder=output)
    errors = [item.error for item in found if item.error is not None]
    if errors:
        raise RehearsalError("\n".join(errors))


def _table(found: list[Rehearsed]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("on the simulated board")
    for name in ("cells", "figures", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("result")
    for item in found:
        cells = "" if item.cells is None else str(item.cells)
        result = "[bold green]passed[/]" if item.error is None else "[bold red]failed[/]"
        table.add_row(item.name, cells, str(len(item.figures)), f"{item.seconds:.1f}", result)
    return table
