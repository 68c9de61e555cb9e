# SPDX-License-Identifier: Apache-2.0
"""The command line."""

import io
import sys


def main() -> None:
    """The entry point of ``hwgen`` and ``python -m hwgen``."""
    from hwgen.cli.app import app

    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of models and folders may hold letters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    app()
