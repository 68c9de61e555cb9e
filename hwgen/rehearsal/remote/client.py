# SPDX-License-Identifier: Apache-2.0
"""``python -m hwgen.rehearsal.remote.client [--port N] SCRIPT.py [ARGS]``: runs a script that
drives a remote board on the simulated one.
"""

import argparse
import os
import sys
from pathlib import Path

from hwgen.rehearsal.remote import HOST, PORT, SIMULATED
from hwgen.rehearsal.script import run_script


def activate(port: int) -> None:
    """Makes the board at this port pynq's active device.

    Raises:
        RuntimeError: pynq finds no board there.
    """
    # pynq looks at it when it is imported.
    os.environ["PYNQ_REMOTE_DEVICES"] = HOST
    from pynq.pl_server.device import Device
    from pynq.pl_server.remote_device import RemoteDevice

    device = RemoteDevice(ip_addr=HOST, port=port)
    device.capabilities["SIMULATED"] = device.exists_file(SIMULATED).exists
    Device.active_device = device


def main() -> None:
    """Runs the script as Python would, with the remote board as pynq's active device."""
    parser = argparse.ArgumentParser(
        prog="python -m hwgen.rehearsal.remote.client", description=__doc__
    )
    parser.add_argument("--port", type=int, default=PORT, help="of the board")
    parser.add_argument("script", type=Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    try:
        activate(given.port)
    except RuntimeError as error:
        print(
            f"No board answers at {HOST}:{given.port} ({error}). Start one with "
            "python -m hwgen.rehearsal.remote.",
            file=sys.stderr,
        )
        sys.exit(2)
    run_script(given.script, given.arguments)


if __name__ == "__main__":
    main()
