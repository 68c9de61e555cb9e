# SPDX-License-Identifier: Apache-2.0
"""``hwgen package``."""

from pathlib import Path

from rich import box
from rich.table import Table

from hwgen.cli.console import out, progress, show_paths, show_warning
from hwgen.data_files import load_data
from hwgen.deploy.manifest import NAME, Manifest
from hwgen.deploy.package import is_package, package_archive, package_files, package_name
from hwgen.design import open_design
from hwgen.emit.plan import BuildPlan
from hwgen.errors import OutputError
from hwgen.whole_file import write_whole

SUFFIX = ".zip"


def run(directory: Path, output: Path | None, data: Path | None, images: int, force: bool) -> None:
    """Packs a written design and shows what went in."""
    design = open_design(directory)
    output = output or Path(package_name(design) + SUFFIX)
    _check_output(output, force)
    chosen = None if data is None else load_data(data)
    with progress() as update:
        plan = package_files(design, chosen, images, update)
        update("writing", 0, 0)
        content = package_archive(package_name(design), plan)
        write_whole(output, content)
    manifest = Manifest.model_validate_json(plan.contents()[NAME])
    out().print(_table(manifest, plan, len(content)))
    if manifest.bitstream.made_by == "simulation":
        show_warning(
            f"There is no bitstream in it: it is for simulation only until 'hwgen synth "
            f"{directory}' has run. Then package the design again."
        )
    show_paths(package=output)


def _check_output(output: Path, force: bool) -> None:
    """Refuses, before any work, a file that cannot or should not be written.

    Raises:
        OutputError: says what stands there.
    """
    if output.suffix != SUFFIX:
        raise OutputError(f"{output} is no name of a zip file. End it with {SUFFIX}.")
    if output.is_dir():
        raise OutputError(f"{output} is a folder. Name a file to write.")
    if not output.parent.is_dir():
        raise OutputError(
            f"{output} cannot be written: there is no folder {output.parent}. Name a file in a "
            "folder that exists."
        )
    if output.exists() and not force and not is_package(output):
        raise OutputError(
            f"{output} is no package of hwgen, or a damaged one. Name another file, or replace it "
            "with --force."
        )


def _table(manifest: Manifest, plan: BuildPlan, size: int) -> Table:
    """What went in, and the sizes of its parts."""
    table = Table(
        title=manifest.name, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    table.add_column("part", no_wrap=True)
    table.add_column("what")
    table.add_column("bytes", justify="right", no_wrap=True)
    made, names = manifest.bitstream, list(plan.files)
    rows = (
        ("overlay", "hwgen.", made.tool or "no bitstream: simulation only"),
        ("programs", "programs/", ", ".join(manifest.programs)),
        ("examples", "examples.", "given" if manifest.examples.real else "random pixels"),
        ("driver", "driver/", f"hwgen {manifest.versions.hwgen}"),
        ("notebooks", "notebooks/", f"{sum(name.startswith('notebooks/') for name in names)}"),
    )
    for part, start, what in rows:
        sizes = (entry.bytes for name, entry in manifest.files.items() if name.startswith(start))
        table.add_row(part, what, f"{sum(sizes):,}")
    table.add_section()
    table.add_row("package", f"{len(names)} files", f"{size:,}")
    return table
