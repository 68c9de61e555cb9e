# SPDX-License-Identifier: Apache-2.0
"""Runs a compiler command, or takes its object file from those kept.

``python compile_once.py FOLDER COMPILER ARGUMENT...`` stands before the compiler in Verilator's
makefiles (their OBJCACHE). Only Verilator's own runtime library is kept: its sources are the same
in every build, and they take longer to compile than most benches.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

RUNTIME = "verilated"
"""How file names of the runtime library begin."""


def main(folder: Path, command: Sequence[str]) -> int:
    """Runs ``command`` unless ``folder`` holds what it makes; returns its exit status."""
    source = Path(command[-1])
    if not (source.suffix == ".cpp" and source.name.startswith(RUNTIME) and "-o" in command):
        return subprocess.call(command)
    built = Path(command[command.index("-o") + 1])
    kept = folder / f"{_key(command, source)}.o"
    if not kept.exists():
        status = subprocess.call(command)
        if status == 0:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                copy = shutil.copyfile(built, Path(scratch) / built.name)
                # Renaming is atomic: two builds at once do no harm.
                copy.replace(kept)
        return status
    shutil.copyfile(kept, built)
    return 0


def _key(command: Sequence[str], source: Path) -> str:
    """Differs with the flags, the compiler and the version of the runtime library."""
    compiler = Path(shutil.which(command[0]) or command[0]).stat()
    parts = (*command, compiler.st_size, compiler.st_mtime_ns, source.read_bytes())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


if __name__ == "__main__":
    sys.exit(main(Path(os.fsdecode(sys.argv[1])), sys.argv[2:]))
