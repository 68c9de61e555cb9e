# SPDX-License-Identifier: Apache-2.0
"""Scripts, run in this process."""

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path


def run_script(script: Path, arguments: Sequence[str]) -> None:
    """Runs a script as Python would that is given it and its arguments."""
    sys.argv = [str(script), *arguments]
    sys.path[0] = str(script.resolve().parent)
    runpy.run_path(str(script), run_name="__main__")
