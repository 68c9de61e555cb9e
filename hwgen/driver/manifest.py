# SPDX-License-Identifier: Apache-2.0
"""``manifest.json`` of a package: what it was made for, and every file's size and digest."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import PurePosixPath

from hwgen.driver.errors import PackageError
from hwgen.driver.json_fields import Fields, damaged
from hwgen.errors import ConfigError
from hwgen.program.engine import PROGRAM_VERSION, EngineConfig

NAME = "manifest.json"
FORMAT = "hwgen-package"
VERSION = 1


@dataclass(frozen=True)
class Bitstream:
    """Where ``hwgen.bit`` comes from.

    Attributes:
        made_by: ``vivado``, or ``simulation`` where it is a stand-in that only a simulated device
            takes.
        engine: ``rtl`` or ``hls``.
        tool: its name and version; None without one.
    """

    made_by: str
    engine: str
    tool: str | None


@dataclass(frozen=True)
class Predicted:
    """The generator's estimate: cycles of a run, images per second, milliseconds to a result."""

    cycles: int
    images_per_s: float
    latency_ms: float


@dataclass(frozen=True)
class FileEntry:
    """Size and SHA-256 (hexadecimal) that a file must have."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a package holds.

    Attributes:
        board: name of its board, such as ``zcu102``.
        part: of the FPGA.
        clock_mhz: that the engine was built for.
        programs: folders in ``programs/``.
        hwgen: version of the generator.
        real_examples: whether the example images are real; False: they are random pixels.
        files: of all files but this one, by their path in the package.
    """

    name: str
    board: str
    part: str
    clock_mhz: float
    engine: EngineConfig
    programs: tuple[str, ...]
    bitstream: Bitstream
    predicted: Predicted
    hwgen: str
    real_examples: bool
    files: Mapping[str, FileEntry]


def parse_manifest(text: bytes, where: str) -> Manifest:
    """The manifest in ``text``; messages call it ``where``.

    Raises:
        PackageError: it is of another format, or of a version that this driver does not know.
        CorruptPackageError: it is damaged.
    """
    data = Fields.parse(text, where)
    if data.optional_text("format") != FORMAT:
        raise PackageError(
            f"{where} does not describe a hwgen package. Name the folder or the zip file that "
            "'hwgen package' wrote."
        )
    versions = data.object("versions")
    generator = versions.text("hwgen")
    found = (data.integer("version"), versions.integer("program"))
    if found != (VERSION, PROGRAM_VERSION):
        raise PackageError(
            f"{where} was written by hwgen {generator} in version {found[0]}, for programs of "
            f"version {found[1]}; this driver reads version {VERSION}, for programs of version "
            f"{PROGRAM_VERSION}. Install the wheel that is in the package's 'driver' folder."
        )
    bitstream, predicted = data.object("bitstream"), data.object("predicted")
    clock_mhz = data.number("clock_mhz")
    if not 0 < clock_mhz < math.inf:
        raise damaged(where, f"clock_mhz is {clock_mhz:g}, not a clock")
    return Manifest(
        name=data.text("name"),
        board=data.text("board"),
        part=data.text("part"),
        clock_mhz=clock_mhz,
        engine=parse_engine(data.object("engine"), where),
        programs=data.texts("programs"),
        bitstream=Bitstream(
            bitstream.text("made_by"), bitstream.text("engine"), bitstream.optional_text("tool")
        ),
        predicted=Predicted(
            predicted.integer("cycles"),
            predicted.number("images_per_s"),
            predicted.number("latency_ms"),
        ),
        hwgen=generator,
        real_examples=data.object("examples").flag("real"),
        files={
            _inside(name, where): FileEntry(entry.integer("bytes"), entry.text("sha256"))
            for name, entry in data.object("files").objects().items()
        },
    )


def parse_engine(data: Fields, where: str) -> EngineConfig:
    """An engine configuration that stands beside its digest.

    Raises:
        CorruptPackageError: they do not belong together.
    """
    try:
        engine = EngineConfig(**{f.name: data.integer(f.name) for f in fields(EngineConfig)})
    except ConfigError as error:
        raise damaged(where, str(error).rstrip(".")) from None
    digest = data.integer("digest")
    if digest != engine.digest:
        raise damaged(
            where,
            f"it states the engine digest {digest:#010x}; its fields give {engine.digest:#010x}",
        )
    return engine


def _inside(name: str, where: str) -> str:
    """``name``, a path that stays in the package's folder."""
    path = PurePosixPath(name)
    leaves = path.is_absolute() or ".." in path.parts or "\\" in name
    if leaves or str(path) != name or name == "." or not name.isprintable():
        raise damaged(where, f"it names the file {name!r}, which is no path inside the package")
    return name
