# SPDX-License-Identifier: Apache-2.0
"""What ``hwgen synth`` leaves in ``vivado/output/``, and whether it still belongs to the design."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from hwgen.emit.hls import FOLDER as HLS
from hwgen.emit.hls import TOP
from hwgen.emit.hwh import DESIGN
from hwgen.emit.rtl import FOLDER as RTL
from hwgen.errors import OutputError, ToolError
from hwgen.vivado.project import FOLDER, WRAPPER
from hwgen.whole_file import write_whole

OUTPUT = f"{FOLDER}/output"
RECORD = "synthesis.json"
BITSTREAM, HANDOFF = f"{DESIGN}.bit", f"{DESIGN}.hwh"

FORMAT = "hwgen-synthesis"
VERSION = 1

Engine = Literal["rtl", "hls"]


@dataclass(frozen=True)
class Synthesis:
    """A bitstream that Vivado made of a design as it stands.

    Attributes:
        tool: such as ``Vivado v2024.1``.
        hls_tool: Vitis HLS where the engine is its own; else None.
        engine: the SystemVerilog, or the C++.
        part: the FPGA.
        clock_mhz: the clock at which timing is met.
        bitstream, handoff: ``hwgen.bit`` and ``hwgen.hwh``.
    """

    tool: str
    hls_tool: str | None
    engine: Engine
    part: str
    clock_mhz: float
    bitstream: Path
    handoff: Path


def input_files(directory: Path, engine: Engine) -> list[str]:
    """Names of the files that a bitstream is made from, in the design's folder.

    Raises:
        ToolError: one is missing.
    """
    scripts = ["build.tcl", "package_ip.tcl", "block_design.tcl", f"{WRAPPER}.v"]
    names = [f"{FOLDER}/{name}" for name in scripts]
    if engine == "rtl":
        names.append(f"{RTL}/design.f")
    else:
        sources = (f"{TOP}.cpp", f"{TOP}.hpp", "run.tcl", "opts.tcl")
        names += [f"{HLS}/{name}" for name in sources]
    _need(directory, names)
    if engine == "rtl":
        more = _rtl_files(directory)
        _need(directory, more)
    else:
        more = _below(directory, f"{HLS}/kernels")
    return names + more


def test_bench_files(directory: Path) -> list[str]:
    """Names of what only Vitis HLS' C simulation reads: the bitstream does not depend on it."""
    return [f"{HLS}/testbench.cpp", *_below(directory, f"{HLS}/tb_data")]


def digests(directory: Path, names: list[str]) -> dict[str, str]:
    """SHA-256 of each file, hexadecimal."""
    return {name: _digest(directory / name) for name in names}


def write_record(
    directory: Path, tool: str, hls_tool: str | None, engine: Engine, part: str, clock_mhz: float
) -> None:
    """Puts the record beside a finished bitstream.

    Raises:
        ToolError: bitstream or hardware handoff is missing.
    """
    folder = directory / OUTPUT
    for name in (BITSTREAM, HANDOFF):
        if not (folder / name).is_file():
            raise ToolError(f"Vivado ended without an error, but {folder / name} is not there.")
    record = {
        "format": FORMAT,
        "version": VERSION,
        "tool": tool,
        "hls_tool": hls_tool,
        "engine": engine,
        "part": part,
        "clock_mhz": clock_mhz,
        "inputs": digests(directory, input_files(directory, engine)),
        "outputs": digests(folder, [BITSTREAM, HANDOFF]),
    }
    write_whole(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())


def read_outputs(directory: Path) -> Synthesis | None:
    """The bitstream of a design's folder; None where ``hwgen synth`` has not made one.

    Raises:
        OutputError: it is damaged, has no record, or a file that it was made from is another now.
    """
    folder = directory / OUTPUT
    path = folder / RECORD
    if not path.is_file():
        if (folder / BITSTREAM).is_file():
            raise OutputError(
                f"{folder} holds {BITSTREAM}, but no {RECORD} that says what it was made from. Run "
                f"'hwgen synth {directory}': what is done is not done again, and it writes one."
            )
        return None
    again = f"Run 'hwgen synth {directory}' again."
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        if (record["format"], record["version"]) != (FORMAT, VERSION):
            raise ValueError
        found = Synthesis(
            tool=str(record["tool"]),
            hls_tool=record["hls_tool"],
            engine=record["engine"],
            part=str(record["part"]),
            clock_mhz=float(record["clock_mhz"]),
            bitstream=folder / BITSTREAM,
            handoff=folder / HANDOFF,
        )
        outputs, inputs = dict(record["outputs"]), dict(record["inputs"])
    except (OSError, ValueError, KeyError, TypeError):
        raise OutputError(f"{path} is damaged or from another version of hwgen. {again}") from None
    for name in (BITSTREAM, HANDOFF):
        if not _same(folder / name, outputs.get(name)):
            raise OutputError(f"{folder / name} is missing or was changed. {again}")
    for name, digest in inputs.items():
        if not _same(directory / name, digest):
            raise OutputError(
                f"The bitstream in {folder} belongs to another state of the design: "
                f"{directory / name} is missing or was changed. {again}"
            )
    return found


def _need(directory: Path, names: list[str]) -> None:
    for name in names:
        if not (directory / name).is_file():
            raise ToolError(
                f"{directory / name} is missing, and Vivado needs it. Build the model again."
            )


def _rtl_files(directory: Path) -> list[str]:
    """What ``rtl/design.f`` names."""
    path = directory / RTL / "design.f"
    names = path.read_text(encoding="utf-8", errors="replace").split()
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ToolError(f"{path} names {name!r}, which lies outside of {RTL}/.")
    return [f"{RTL}/{name}" for name in names]


def _below(directory: Path, folder: str) -> list[str]:
    found = sorted(path for path in (directory / folder).rglob("*") if path.is_file())
    return [path.relative_to(directory).as_posix() for path in found]


def _same(path: Path, digest: object) -> bool:
    return path.is_file() and _digest(path) == digest


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
