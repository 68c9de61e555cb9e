# SPDX-License-Identifier: Apache-2.0
"""A board that is simulated: a device of pynq whose registers and DDR are the compiled RTL engine.

What runs on a board runs here unchanged, with pynq itself in between::

    from pynq.pl_server.device import Device

    with SimulatedDevice(simulator) as Device.active_device:
        ...

``python -m hwgen.rehearsal SCRIPT.py`` does that for a script, ``hwgen.rehearsal.kernel`` for
notebooks. Needs pynq and numpy; the simulator is a program from ``hwgen.sim.rtl_build``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwgen.rehearsal.device import SimulatedDevice

__all__ = ["SimulatedDevice"]


def __getattr__(name: str) -> Any:
    """Loads the device when it is first asked for: parts of this package work without pynq."""
    if name == "SimulatedDevice":
        from hwgen.rehearsal.device import SimulatedDevice

        return SimulatedDevice
    raise AttributeError(f"module 'hwgen.rehearsal' has no attribute {name!r}")
