# SPDX-License-Identifier: Apache-2.0
"""``hwgen verify``."""

from pathlib import Path

from hwgen.cli.console import out, progress, show_paths, show_warning
from hwgen.cli.summary import accuracy_table, rtl_table
from hwgen.design import PAGE, TRACE, WAVES, open_design
from hwgen.errors import ConfigError
from hwgen.report.figures import count
from hwgen.verification import Level, Verification

RANDOM = (
    "No --data: random pixels were used. They prove that executors are equal; how often int8 and "
    "float agree on them says little about real images."
)


def run(
    directory: Path,
    level: Level,
    images: int | None,
    data: Path | None,
    *,
    twin: bool = False,
    trace: bool = False,
    waves: bool = False,
) -> None:
    """Verifies a written design and shows what was found."""
    _refuse_options(level, twin=twin, trace=trace, waves=waves)
    design = open_design(directory)
    with progress() as update:
        found = design.verify(level, data, images, update, twin=twin, trace=trace, waves=waves)
    if not found.real:
        show_warning(RANDOM)
    show(found)
    if found.rtl:
        out().print(rtl_table(design.summary, found.rtl))
    written = {"trace": (trace, TRACE), "waves": (waves, WAVES), "report": (True, PAGE)}
    show_paths(**{name: directory / file for name, (made, file) in written.items() if made})


def _refuse_options(level: Level, **options: bool) -> None:
    given = [f"--{name}" for name, value in options.items() if value]
    if given and level != "rtl":
        raise ConfigError(
            f"{given[0]} is for RTL simulation; this is --level {level}. Add --level rtl, or leave "
            f"{given[0]} out."
        )


def show(found: Verification) -> None:
    """The result of simulation, and float and int8 side by side."""
    console = out()
    if found.csim:
        console.print(
            f"[bold green]C simulation equals the integer reference[/], bit for bit: the outputs "
            f"of {count(found.csim.images)}, and what each of {found.csim.instructions} "
            "instructions wrote for the first one."
        )
    if found.rtl:
        array = "" if found.rtl.array == "faithful" else " (array: C++ twin)"
        console.print(
            f"[bold green]RTL simulation equals the integer reference[/]{array}, bit for bit: the "
            f"outputs of {count(found.rtl.images)}, from image in memory to logits in memory."
        )
    console.print(accuracy_table(found.fidelity))
