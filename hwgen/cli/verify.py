# SPDX-License-Identifier: Apache-2.0
"""``hwgen verify``."""

from pathlib import Path

from hwgen.cli.console import out, progress, show_paths, show_warning
from hwgen.cli.summary import accuracy_table
from hwgen.design import PAGE, open_design
from hwgen.verification import Level, Verification

RANDOM = (
    "No --data: random pixels were used. They prove that executors are equal; how often int8 and "
    "float agree on them says little about real images."
)


def run(directory: Path, level: Level, images: int | None, data: Path | None) -> None:
    """Verifies a written design and shows what was found."""
    design = open_design(directory)
    with progress() as update:
        found = design.verify(level, data, images, update)
    if not found.real:
        show_warning(RANDOM)
    show(found)
    show_paths(report=directory / PAGE)


def show(found: Verification) -> None:
    """The result of C simulation, and float and int8 side by side."""
    console = out()
    if found.csim:
        console.print(
            f"[bold green]C simulation equals the integer reference[/], bit for bit: the outputs "
            f"of {found.csim.images} images, and what each of {found.csim.instructions} "
            "instructions wrote for the first one."
        )
    console.print(accuracy_table(found.fidelity))
