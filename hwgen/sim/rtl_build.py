# SPDX-License-Identifier: Apache-2.0
"""Compiles the emitted SystemVerilog with its test bench, once for each engine configuration."""

import hashlib
import os
import platform
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hwgen.emit.rtl import FOLDER, TESTBENCH
from hwgen.errors import ToolError
from hwgen.sim.csim_build import cache_folder
from hwgen.sim.process import last_lines, run_process
from hwgen.sim.toolchain import find_compiler
from hwgen.sim.verilator import Verilator, find_verilator

COMPILE_TIMEOUT_S = 3600.0
_FLAGS = (
    "--cc", "--exe", "--build", "-O3", "-Wall", "--no-timing", "--noassert",
    "--x-assign", "fast", "--x-initial", "fast",
)  # fmt: skip
_OPTIMISE = "-O3 -march=native"
_COMPLAINT = re.compile(r"^%(Error|Warning-\w+): |: (fatal )?error: ")
"""Of Verilator or of the C++ compiler."""
_LISTS = ("design.f", "simulation.f")

Progress = Callable[[int, int], None]
"""Called with the number of C++ files compiled and of all (0: not yet known)."""


@dataclass(frozen=True)
class Options:
    """How the simulator is compiled.

    Attributes:
        twin: the MAC array alone is its C++ twin, several times as fast.
        waves: the program can write an FST file.
    """

    twin: bool = False
    waves: bool = False


def read_rtl(directory: Path) -> dict[str, bytes]:
    """The files of an emitted RTL project, names relative to ``rtl/``.

    Raises:
        ToolError: the folder holds none, a file of its lists is missing, or a list holds more than
            names of files inside of it.
    """
    folder = directory / FOLDER
    try:
        lists = {name: (folder / name).read_bytes() for name in _LISTS}
        names = [name for item, data in lists.items() for name in _names(folder / item, data)]
        return lists | {name: (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise ToolError(
            f"{folder} holds no complete RTL project ({Path(error.filename or folder).name}: "
            f"{error.strerror}). Build the model again."
        ) from None


def _names(path: Path, data: bytes) -> list[str]:
    names = data.decode(errors="replace").split()
    for name in names:
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or name[0] in "+-/#":
            raise ToolError(
                f"{path} holds {name!r}. Each line is the name of a file in {path.parent}, and "
                "nothing else: no option, no comment, no file outside. Copy the file there."
            )
    return names


def compile_rtl(
    files: Mapping[str, bytes], options: Options, progress: Progress | None = None
) -> Path:
    """The simulator of these sources, from the cache where it was compiled before.

    Args:
        files: from ``read_rtl``, or ``rtl_project`` less the folder's name.

    Raises:
        ToolError: a tool is missing or failed, or the cache folder cannot be written.
    """
    verilator = find_verilator()
    if options.waves:
        _need_lz4()
    # A folder and the files of a design in memory give the same simulator.
    named = [name for item in _LISTS for name in files[item].decode().split()]
    files = {name: files[name] for name in (*_LISTS, *named)}
    folder = cache_folder() / "rtl"
    program = folder / _key(files, options, verilator)
    if program.exists():
        return program
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            result = _compile(files, options, verilator, Path(scratch), progress)
            # Renaming is atomic: two runs at once do no harm.
            result.replace(program)
    except OSError as error:
        raise ToolError(
            f"Cannot use the cache folder {folder}: {error.strerror}. Set HWGEN_CACHE to a folder "
            "that can be written."
        ) from None
    return program


def _need_lz4() -> None:
    """Verilator's FST writer includes a header that few machines have."""
    command = [*find_compiler("RTL simulation"), "-E", "-x", "c++", "-include", "lz4.h", "-"]
    if run_process(command, what="The C++ compiler", timeout_s=60.0).code:
        raise ToolError(
            "Waves are written with the compression library LZ4, and its header lz4.h was not "
            "found. Install it (Debian, Ubuntu: apt install liblz4-dev), or leave --waves out."
        )


def _compile(
    files: Mapping[str, bytes],
    options: Options,
    verilator: Verilator,
    scratch: Path,
    progress: Progress | None,
) -> Path:
    for name, data in files.items():
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    build = scratch / "build"
    command = [
        verilator.command, *_arguments(options), "-j", str(os.cpu_count() or 1),
        "--Mdir", "build", "-o", TESTBENCH,
        *(name for item in _LISTS for name in files[item].decode().split()),
    ]  # fmt: skip
    done, total, complaint = 0, 0, ""

    def on_line(line: str) -> None:
        nonlocal done, total, complaint
        complaint = complaint or (line if _COMPLAINT.search(line) else "")
        total = total or len(list(build.glob("*.cpp")))
        if re.search(r" -c ", line):
            done += 1
            if progress is not None:
                progress(min(done, total), total)

    finished = run_process(
        command,
        what="Verilator",
        timeout_s=COMPILE_TIMEOUT_S,
        directory=scratch,
        environment=verilator.environment,
        on_line=on_line,
    )
    result = build / TESTBENCH
    if finished.code or not result.is_file():
        raise ToolError(
            f"Verilator failed on the RTL (exit code {finished.code}). Correct rtl/, or build the "
            "model again."
            + (f" Its first complaint:\n  {complaint}" if complaint else last_lines(finished.tail))
        )
    return result


def _arguments(options: Options) -> list[str]:
    return [
        *_FLAGS,
        "-MAKEFLAGS", f"OPT_FAST='{_OPTIMISE}' OPT_GLOBAL=-O1",
        "-CFLAGS", _OPTIMISE,
        "--top-module", TESTBENCH,
        *(["--trace-fst"] if options.waves else []),
        f"-GTWIN={int(options.twin)}",
    ]  # fmt: skip


def _key(files: Mapping[str, bytes], options: Options, verilator: Verilator) -> str:
    """Digest of everything that decides the compiled program."""
    total = hashlib.sha256(repr((_arguments(options), verilator, _processor())).encode())
    for name in sorted(files):
        total.update(f"{name} {len(files[name])}\n".encode())
        total.update(files[name])
    return total.hexdigest()


def _processor() -> str:
    """What this processor can do: programs are compiled for it alone."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
