# SPDX-License-Identifier: Apache-2.0
"""What a simulated board refuses."""

from hwgen.errors import HwgenError


class BusError(HwgenError):
    """An access to an address where nothing answers; a board ends the process, or hangs."""


class FabricError(HwgenError):
    """A bitstream that the simulator cannot stand for."""
