# SPDX-License-Identifier: Apache-2.0
"""A package: everything that a board needs to run a design, in one zip file.

``docs/package.md`` explains what is in it. Its one folder has the name of the package.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import hwgen
from hwgen.archive import archive
from hwgen.data_files import Data
from hwgen.deploy import examples, manifest, wheel
from hwgen.deploy.bitstream import BITSTREAM, HANDOFF, overlay
from hwgen.deploy.manifest import Examples, Manifest, Predicted, Versions
from hwgen.design import Design
from hwgen.emit.plan import BuildPlan
from hwgen.emit.program_files import FOLDER, EngineFields, describe, program_files
from hwgen.emit.selection_files import selection_files
from hwgen.emit.templates import render
from hwgen.golden.selections import selects
from hwgen.package_data import data_folder
from hwgen.program.engine import PROGRAM_VERSION
from hwgen.progress import Progress, silent
from hwgen.self_test.files import self_test_files

README, INSTALL = "README.md", "install.sh"
NOTEBOOKS_BOARD = "zcu102"
"""Whose notebooks a board without notebooks of its own gets."""


def package_name(design: Design) -> str:
    """Model and board, of letters, digits, dots, dashes and underscores: a file's name anywhere."""
    text = f"{design.program.name}-{design.board.name}"
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip("._-") or "model"


def package_files(
    design: Design, data: Data | None = None, images: int = 16, progress: Progress | None = None
) -> BuildPlan:
    """The files of the package.

    Args:
        data: images, with labels perhaps, that the package carries with the answers expected;
            random pixels where None.
        images: how many of them, the first ones.

    Raises:
        DataError: the images or labels do not fit the model.
        OutputError: the bitstream does not belong to the design.
    """
    progress = progress or silent
    program, report = design.program, design.summary
    chosen = examples.random_images(program, images) if data is None else data.first(images)
    programs = _programs(design)
    made = overlay(design)
    files = {
        README: _readme(design, made.made.tool),
        INSTALL: (data_folder("templates") / "package" / INSTALL).read_bytes(),
        BITSTREAM: made.bitstream,
        HANDOFF: made.handoff,
        **{
            f"programs/{name}/{file}": content
            for name, contents in programs.items()
            for file, content in contents.items()
        },
        examples.NAME: examples.examples(program, chosen, progress),
        f"driver/{wheel.NAME}": wheel.driver_wheel(),
        **_notebooks(design.board.name),
    }
    described = Manifest(
        name=package_name(design),
        board=design.board.name,
        part=design.board.part,
        clock_mhz=report.clock_mhz,
        engine=EngineFields.of(program.engine),
        programs=tuple(programs),
        bitstream=made.made,
        versions=Versions(hwgen=hwgen.__version__, program=PROGRAM_VERSION),
        predicted=Predicted(
            cycles=report.cycles.predicted, images_per_s=report.fps, latency_ms=report.latency_ms
        ),
        examples=Examples(real=data is not None),
        files={name: describe(content) for name, content in files.items()},
    )
    return BuildPlan({manifest.NAME: described.to_json(), **files})


def package_archive(name: str, plan: BuildPlan) -> bytes:
    """The zip file of a package's files, in a folder ``name``."""
    return archive({f"{name}/{file}": content for file, content in plan.contents().items()})


def is_package(path: Path) -> bool:
    """Whether a file is a package, of any version."""
    try:
        with zipfile.ZipFile(path) as found:
            place = next(name for name in found.namelist() if name.count("/") == 1)
            data = json.loads(found.read(f"{place.partition('/')[0]}/{manifest.NAME}"))
            return isinstance(data, dict) and data.get("format") == manifest.FORMAT
    except (OSError, ValueError, KeyError, StopIteration, zipfile.BadZipFile):
        return False


def _programs(design: Design) -> dict[str, Mapping[str, bytes]]:
    """Files of each program by its name."""
    program = design.program
    model = program_files(program).items()
    programs: dict[str, Mapping[str, bytes]] = {
        "model": {name.removeprefix(f"{FOLDER}/"): content for name, content in model},
        "self_test": self_test_files(program.engine),
    }
    if selects(program):
        programs["selections"] = selection_files(program)
    return programs


def _notebooks(board: str) -> dict[str, bytes]:
    """The board's notebooks; none where no board has any."""
    folders = [data_folder("boards") / name / "notebooks" for name in (board, NOTEBOOKS_BOARD)]
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    return {f"notebooks/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.ipynb"))}


def _readme(design: Design, tool: str | None) -> bytes:
    return render(
        "package/README.md.j2",
        name=package_name(design),
        model=design.program.name,
        board=design.board.name,
        clock_mhz=f"{design.summary.clock_mhz:g}",
        version=hwgen.__version__,
        tool=tool,
    )
