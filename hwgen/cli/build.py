# SPDX-License-Identifier: Apache-2.0
"""``hwgen build``."""

from pathlib import Path

from hwgen.cli.console import out, progress, show_paths
from hwgen.cli.summary import headline
from hwgen.design import PAGE, build
from hwgen.emit.plan import MANIFEST
from hwgen.errors import OutputError


def run(
    model: str,
    output: Path,
    board: str | None,
    config: Path | None,
    calibration: Path | None,
    force: bool,
    batch: int | None,
) -> None:
    """Builds and writes; refuses a folder that cannot be written before the work begins."""
    if not force:
        refuse_foreign(output)
    with progress() as update:
        design = build(model, board, config, calibration, update, batch)
        update("writing", 0, 0)
        design.write(output, force)
    out().print(headline(design.summary))
    show_paths(folder=output, report=output / PAGE)


def refuse_foreign(output: Path) -> None:
    """Refuses, before any work, a folder that hwgen did not make. ``write`` looks closer.

    Raises:
        OutputError: says what stands there.
    """
    if output.is_file():
        raise OutputError(f"{output} is a file. Name a folder to write to.")
    if output.is_dir() and not (output / MANIFEST).is_file():
        names = sorted(path.name for path in output.iterdir())
        if names:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
            raise OutputError(
                f"{output} holds files that hwgen did not write: {shown}. Nothing was written. "
                "Name another folder, or repeat with --force (it keeps all of them except where "
                "the build has a file of that name)."
            )
