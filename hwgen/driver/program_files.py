# SPDX-License-Identifier: Apache-2.0
"""One program of a package: the folder ``programs/<name>``."""

from dataclasses import dataclass

from hwgen.driver.errors import PackageError, UnsupportedError
from hwgen.driver.json_fields import Fields, damaged
from hwgen.driver.manifest import parse_engine
from hwgen.driver.package import Package
from hwgen.program.program import InputLayout, OutputLayout

MODEL, SELF_TEST, SELECTIONS = "model", "self_test", "selections"
"""Programs that a package may have; the first one always."""

FORMAT = "hwgen-model"
VERSION = 1


@dataclass(frozen=True, eq=False)
class ProgramFiles:
    """A program as it goes to memory, and what its input and output mean.

    Attributes:
        program: the binary program, linear.
        weights: the weight region, striped over the memory ports.
    """

    name: str
    input: InputLayout
    output: OutputLayout
    classes: tuple[str, ...]
    program: bytes
    weights: bytes


def read_program(package: Package, name: str) -> ProgramFiles:
    """A program of the package.

    Args:
        name: of its folder in ``programs/``.

    Raises:
        UnsupportedError: the package has no such program.
        CorruptPackageError: its ``model.json`` is damaged, or for another engine.
    """
    manifest = package.manifest
    if name not in manifest.programs:
        raise UnsupportedError(
            f"The package {manifest.name} has no program '{name}'; it has "
            f"{', '.join(manifest.programs)}. Make the package of a design that has it."
        )
    folder = f"programs/{name}"
    where = f"{package.folder / folder}/model.json"
    data = Fields.parse(package.read(f"{folder}/model.json"), where)
    if (data.text("format"), data.integer("version")) != (FORMAT, VERSION):
        raise PackageError(
            f"{where} is of another format than this driver reads. Install the wheel that is in "
            "the package's 'driver' folder."
        )
    engine = parse_engine(data.object("engine"), where)
    if engine.digest != manifest.engine.digest:
        raise damaged(where, "it is for another engine than the package")
    images, outputs = data.object("input"), data.object("output")
    return ProgramFiles(
        name=data.text("name"),
        input=InputLayout(
            images.integer("height"),
            images.integer("width"),
            images.integer("channels"),
            images.integer("patch"),
            images.integer("batch"),
        ),
        output=OutputLayout(
            outputs.integer("rows"), outputs.integer("columns"), outputs.number("scale")
        ),
        classes=data.texts("classes"),
        program=package.read(f"{folder}/program.bin"),
        weights=package.read(f"{folder}/weights.bin"),
    )
