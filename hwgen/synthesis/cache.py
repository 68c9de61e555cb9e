# SPDX-License-Identifier: Apache-2.0
"""Results of Yosys, kept by the digest of everything that they depend on."""

import gzip
import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hwgen.errors import ToolError
from hwgen.sim.csim_build import cache_folder
from hwgen.synthesis import yosys


def key(*parts: bytes) -> str:
    """Digest of what a result depends on, the version of Yosys with it. Raises ToolError."""
    total = hashlib.sha256(yosys.version().encode())
    for part in parts:
        total.update(f"\n{len(part)}\n".encode())
        total.update(part)
    return total.hexdigest()


def load(name: str) -> bytes | None:
    """What was kept as ``name``; None: nothing."""
    path = _folder() / f"{name}.gz"
    try:
        return gzip.decompress(path.read_bytes()) if path.exists() else None
    except (OSError, EOFError):
        return None  # damaged: it is made again


def keep(results: Iterable[tuple[str, bytes]]) -> None:
    """Keeps results by name. Raises ToolError where the cache folder cannot be written."""
    folder = _folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            for name, data in results:
                packed = Path(scratch) / name
                packed.write_bytes(gzip.compress(data, mtime=0))
                # Renaming is atomic: two runs at once do no harm.
                packed.replace(folder / f"{name}.gz")
    except OSError as error:
        raise ToolError(
            f"Cannot use the cache folder {folder}: {error.strerror}. Set HWGEN_CACHE to a folder "
            "that can be written."
        ) from None


def _folder() -> Path:
    return cache_folder() / "synthesis"
