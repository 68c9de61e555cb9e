# SPDX-License-Identifier: Apache-2.0
"""``python -m hwgen.rehearsal.remote [--port N]``: a simulated board for pynq's remote devices."""

import argparse
import contextlib
import sys

from hwgen.errors import ToolError
from hwgen.rehearsal.environment import activate_or_exit
from hwgen.rehearsal.remote import HOST, PORT
from hwgen.rehearsal.remote.board import RemoteBoard


def main() -> None:
    """Serves the board that the environment describes until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m hwgen.rehearsal.remote", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"{PORT}, or another; 0 for any")
    port = parser.parse_args().port
    with activate_or_exit() as device:
        try:
            board = RemoteBoard(device, port)
        except ToolError as error:
            print(error, file=sys.stderr)
            sys.exit(2)
        with board, contextlib.suppress(KeyboardInterrupt):
            print(f"The simulated {device.name} listens on {HOST}:{board.port}.", flush=True)
            board.wait()


if __name__ == "__main__":
    main()
