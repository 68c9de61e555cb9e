# SPDX-License-Identifier: Apache-2.0
"""``hwgen synth``."""

from pathlib import Path

from rich import box
from rich.table import Table

from hwgen.cli.console import out, progress, show_paths
from hwgen.design import PAGE, open_design
from hwgen.errors import ToolError
from hwgen.report.figures import RESOURCE_NAMES, timing_text
from hwgen.report.schema import Report, Resources, Timing
from hwgen.vivado.outputs import BITSTREAM, HANDOFF, OUTPUT
from hwgen.vivado.synthesis import LOG, Options


def run(directory: Path, options: Options) -> None:
    """Runs Vivado on a written design and shows what it found.

    Raises:
        ToolError: besides failures, where timing is not met.
    """
    design = open_design(directory)
    with progress() as update:
        found = design.synthesise(options, update)
    if found is None:
        out().print(f"Done up to step {options.last}. Run it again without --step to go on.")
        show_paths(log=directory / LOG)
        return
    out().print(comparison(design.summary))
    out().print(f"Vivado {found.vivado}: {timing_text(found.timing)}")
    if found.bitstream:
        show_paths(
            bitstream=directory / OUTPUT / BITSTREAM,
            handoff=directory / OUTPUT / HANDOFF,
        )
    show_paths(report=directory / PAGE)
    if not found.timing.met:
        raise ToolError(_too_slow(directory, found.timing))


def comparison(report: Report) -> Table:
    """What Vivado counted beside the prediction and the limits."""
    resources = report.resources
    kinds = {
        kind: name
        for kind, name in RESOURCE_NAMES.items()
        if getattr(resources.device, kind) is not None
    }
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("resources", no_wrap=True)
    for name in kinds.values():
        table.add_column(name, justify="right", no_wrap=True)
    rows: tuple[tuple[str, Resources], ...] = (
        ("engine (Vivado)", resources.synth),
        ("engine, predicted", resources.predicted),
        (f"limit of {report.board}", resources.limits),
        ("whole design (Vivado)", resources.synth_design),
        ("device", resources.device),
    )
    for name, amounts in rows:
        values = (getattr(amounts, kind) for kind in kinds)
        table.add_row(name, *("-" if value is None else f"{value:,}" for value in values))
    return table


def _too_slow(directory: Path, timing: Timing) -> str:
    clock = int(timing.achieved_mhz)
    return (
        f"Timing is not met at {timing.clock_mhz:g} MHz, so no bitstream was made. Set clock_mhz "
        f"to {clock} or less in a copy of {directory / 'hwgen.yaml'}, build the model again with "
        "--config and --force, and run hwgen synth again; or look at the worst paths in "
        f"{directory / 'vivado' / 'work' / timing.engine / 'reports' / 'timing.rpt'}."
    )
