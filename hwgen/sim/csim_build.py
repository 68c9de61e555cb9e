# SPDX-License-Identifier: Apache-2.0
"""Compiles the emitted C++ once for each engine configuration."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hwgen.errors import ToolError
from hwgen.sim.process import last_lines, run_process
from hwgen.sim.toolchain import Toolchain

FLAGS = (
    "-std=c++14",
    "-O3",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unknown-pragmas",
    # The constructors of ap_int.h read what they then mask, and its range assignment has a loop
    # for reversed ranges that no one takes; every use would warn.
    "-Wno-uninitialized",
    "-Wno-maybe-uninitialized",
    "-Wno-aggressive-loop-optimizations",
)
COMPILE_TIMEOUT_S = 900.0

_SUFFIXES = (".cpp", ".hpp", ".h")


def cache_folder() -> Path:
    """Where compiled simulations are kept: HWGEN_CACHE, else the platform's cache folder."""
    named = os.environ.get("HWGEN_CACHE")
    if named:
        return Path(named).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "hwgen"
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "hwgen"


def read_sources(directory: Path) -> dict[str, bytes]:
    """The C++ files of an HLS project: its own folder, ``kernels/`` and ``kernels/csim/``.

    Raises:
        ToolError: the folder holds no HLS project.
    """
    folder = directory / "hls" if (directory / "hls").is_dir() else directory
    paths = [
        path
        for part in (folder, folder / "kernels", folder / "kernels" / "csim")
        if part.is_dir()
        for path in sorted(part.iterdir())
        if path.suffix in _SUFFIXES
    ]
    sources = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    if "testbench.cpp" not in sources:
        raise ToolError(f"{folder} holds no HLS project (no testbench.cpp). Build it again.")
    return sources


def select_sources(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The C++ files among those of ``hls_project``, names relative to ``hls/``."""
    return {
        name.removeprefix("hls/"): data
        for name, data in files.items()
        if name.startswith("hls/") and name.endswith(_SUFFIXES)
    }


def compile_sources(sources: Mapping[str, bytes], toolchain: Toolchain) -> Path:
    """The test bench program of these sources, from the cache where it was compiled before.

    Raises:
        ToolError: the compiler failed, or the cache folder cannot be written.
    """
    folder = cache_folder() / "csim"
    program = folder / (_key(sources, toolchain) + (".exe" if os.name == "nt" else ""))
    if program.exists():
        return program
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            result = _compile(sources, toolchain, Path(scratch))
            # Renaming is atomic: two runs at once do no harm.
            result.replace(program)
    except OSError as error:
        raise ToolError(
            f"Cannot use the cache folder {folder}: {error.strerror}. Set HWGEN_CACHE to a folder "
            "that can be written."
        ) from None
    return program


def _compile(sources: Mapping[str, bytes], toolchain: Toolchain, scratch: Path) -> Path:
    for name, data in sources.items():
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    units = [name for name in sources if name.endswith(".cpp") and "/" not in name]
    command: list[str | Path] = [
        *toolchain.compiler,
        *FLAGS,
        "-Ikernels/csim",
        "-isystem",
        toolchain.ap_types.resolve(),
        *units,
        "-o",
        "testbench",
    ]
    finished = run_process(
        command, what="The C++ compiler", timeout_s=COMPILE_TIMEOUT_S, directory=scratch
    )
    if finished.code:
        raise ToolError(
            f"{toolchain.compiler[0]} failed on the HLS project (exit code {finished.code})."
            f"{last_lines(finished.tail)}"
        )
    result = scratch / "testbench"
    if not result.is_file():
        raise ToolError(
            f"{toolchain.compiler[0]} ended without an error and wrote no program."
            f"{last_lines(finished.tail)}"
        )
    return result


def _key(sources: Mapping[str, bytes], toolchain: Toolchain) -> str:
    """Digest of everything that decides the compiled program.

    HLS pragmas are left out: a C++ compiler ignores them, and their depths change with each model.
    """
    total = hashlib.sha256(repr((FLAGS, toolchain)).encode())
    for name in sorted(sources):
        lines = sources[name].splitlines()
        code = b"\n".join(line for line in lines if not line.lstrip().startswith(b"#pragma HLS"))
        total.update(f"{name} {len(code)}\n".encode())
        total.update(code)
    return total.hexdigest()
