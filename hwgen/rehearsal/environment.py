# SPDX-License-Identifier: Apache-2.0
"""The simulated board that environment variables describe, for scripts and notebooks that know of
none.
"""

import os
import sys
from pathlib import Path

from pynq.pl_server.device import Device

from hwgen.errors import HwgenError, ToolError
from hwgen.rehearsal.device import SimulatedDevice

SIMULATOR = "HWGEN_SIMULATOR"
"""Path of the compiled simulator."""
BOARD = "HWGEN_SIMULATED_BOARD"
"""Name of the board, as hwgen has it; zcu102 where it is not set."""


def activate() -> SimulatedDevice:
    """Makes the board, and pynq's active device of it.

    Raises:
        ToolError: no simulator is named, or it cannot be started.
    """
    simulator = os.environ.get(SIMULATOR)
    if not simulator:
        raise ToolError(
            f"{SIMULATOR} is not set. Set it to the path of a compiled simulator; hwgen rehearse "
            "does so by itself."
        )
    device = SimulatedDevice(Path(simulator), os.environ.get(BOARD) or "zcu102")
    Device.active_device = device
    return device


def activate_or_exit() -> SimulatedDevice:
    """The same for a command: says what is wrong, and exits with code 2."""
    try:
        return activate()
    except HwgenError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
