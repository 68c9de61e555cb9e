# SPDX-License-Identifier: Apache-2.0
"""The command line."""

import io
import signal
import sys
from typing import NoReturn


def main() -> None:
    """The entry point of ``hwgen`` and ``python -m hwgen``."""
    from hwgen.cli.app import app

    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of models and folders may hold letters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one
            signal.signal(number, _end)
    app()


def _end(number: int, frame: object) -> NoReturn:
    """Ends as Ctrl-C does: programs that were started are stopped, temporary files removed."""
    sys.exit(128 + number)
