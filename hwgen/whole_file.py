# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all."""

from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file beside ``path``, then puts it in its place in one step.

    Raises:
        OSError: it cannot be written, and names ``path``; what was there is still there.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        error.filename = str(path)  # a full disk names no file
        raise
