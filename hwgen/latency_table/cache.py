# SPDX-License-Identifier: Apache-2.0
"""Measured cycles, kept from one table to the next: a long one can be stopped and resumed."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from hwgen.errors import ToolError
from hwgen.program.instructions import Instruction
from hwgen.program.program import Program
from hwgen.sim.csim_build import cache_folder
from hwgen.sim.rtl import Memory

_VALUES = ("multiplier", "shift", "gelu_one", "gelu_slope", "epsilon", "threshold")
"""Ends of the names of fields that change results and no cycle."""


def key(program: Program, memory: Memory, sources: Mapping[str, bytes]) -> str:
    """Digest of all that decides the cycles of a program that keeps the same number of tokens of
    every image: the engine, its SystemVerilog, the memory, and the instructions without the
    constants of their arithmetic.
    """
    shapes = [_shape(instruction) for instruction in program.instructions]
    total = hashlib.sha256(repr((program.engine, memory, shapes)).encode())
    for name, data in sorted(sources.items()):
        total.update(f"{name} {len(data)}\n".encode() + data)
    return total.hexdigest()


def _shape(instruction: Instruction) -> list[tuple[str, object]]:
    named = [("opcode", instruction.opcode.name)]
    names = (f.name for f in fields(instruction) if not f.name.endswith(_VALUES))
    return [*named, *((name, int(getattr(instruction, name))) for name in names)]


def load(key: str) -> list[int] | None:
    """Measured cycles of each instruction; None where they are not known."""
    try:
        found = json.loads(_path(key).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, list) else None


def save(key: str, cycles: list[int]) -> None:
    """Keeps measured cycles.

    Raises:
        ToolError: the cache folder cannot be written.
    """
    path = _path(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w") as file:
            json.dump(cycles, file)
        # Renaming is atomic: two tables at once do no harm.
        Path(scratch).replace(path)
    except OSError as error:
        raise ToolError(
            f"Cannot use the cache folder {path.parent}: {error.strerror}. Set HWGEN_CACHE to a "
            "folder that can be written."
        ) from None


def _path(key: str) -> Path:
    return cache_folder() / "latency" / f"{key}.json"
