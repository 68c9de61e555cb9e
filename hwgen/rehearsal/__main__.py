# SPDX-License-Identifier: Apache-2.0
"""``python -m hwgen.rehearsal SCRIPT.py [ARGS]``: runs a script of a board on a simulated one."""

import argparse
from pathlib import Path

from hwgen.rehearsal.environment import activate_or_exit
from hwgen.rehearsal.script import run_script


def main() -> None:
    """Runs the script as Python would, with the simulated board as pynq's active device."""
    parser = argparse.ArgumentParser(
        prog="python -m hwgen.rehearsal", description="Runs a script on a simulated board."
    )
    parser.add_argument("script", type=Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the script")
    found = parser.parse_args()
    if not found.script.is_file():
        parser.error(f"{found.script} is no file")
    with activate_or_exit():
        run_script(found.script, found.arguments)


if __name__ == "__main__":
    main()
