# SPDX-License-Identifier: Apache-2.0
"""What a board has beside its fabric: registers of the processing system, and the kernel's devices
for interrupts.

There is one of it in a process, whichever devices there are: pynq keeps its clocks and the files of
its interrupts for a process, not for a device.
"""

import functools
import threading
from collections.abc import Callable

import pynq.interrupt

from hwgen.rehearsal.interrupts import UserInterrupt

_BLOCKS = (
    range(0xFD1A_0000, 0xFD1A_1000),  # CRF_APB: clocks of the full-power domain
    range(0xFD36_0000, 0xFD3C_0000),  # AFIFM0 to 5: widths of the ports from the fabric
    range(0xFD61_5000, 0xFD61_6000),  # FPD_SLCR: widths of the ports to the fabric
    range(0xFF41_9000, 0xFF41_A000),  # LPD_SLCR: the same
    range(0xFF5E_0000, 0xFF5E_1000),  # CRL_APB: clocks of the low-power domain
    range(0xFF9B_0000, 0xFF9C_0000),  # AFIFM6
)
"""AMD UG1087."""
_AS_BOOTED = {
    # The ZCU102's boot loader leaves PLLs fed by 33.333 MHz with these dividers.
    0xFD1A_0020: 0x0001_4800,  # APLL, 1200 MHz
    0xFD1A_002C: 0x0001_4000,  # DPLL, 1067 MHz
    0xFD1A_0038: 0x0001_5A00,  # VPLL, 1500 MHz
    0xFD1A_0060: 0x0300_0100,  # processors: APLL
    0xFF5E_0020: 0x0001_5A00,  # IOPLL, 1500 MHz
    0xFF5E_0030: 0x0001_4800,  # RPLL, 1200 MHz
    # Clocks of the fabric: IOPLL by 15, 100 MHz.
    **{0xFF5E_00C0 + 4 * clock: 0x0101_0F00 for clock in range(4)},
}


class ProcessingSystem:
    """Registers and interrupts. Any thread may use it."""

    def __init__(self, find_other: Callable[[int], str | None]) -> None:
        """``find_other`` finds the file of an interrupt that is not of a simulated board."""
        self._find_other = find_other
        self._registers = dict(_AS_BOOTED)
        self._interrupts: dict[int, UserInterrupt] = {}
        self._lock = threading.Lock()

    def holds(self, address: int) -> bool:
        """Whether a register is there."""
        return any(address in block for block in _BLOCKS)

    def read(self, address: int) -> int:
        """A register, 32 bits; zero where nothing was written."""
        return self._registers.get(address, 0)

    def write(self, address: int, value: int) -> None:
        """Writes a register, 32 bits."""
        self._registers[address] = value

    def interrupt(self, number: int) -> UserInterrupt:
        """The kernel's device for an interrupt from the fabric."""
        with self._lock:
            return self._interrupts.setdefault(number, UserInterrupt())

    def find_file(self, number: int) -> str | None:
        """The file of an interrupt, what ``get_uio_irq`` of pynq finds by /proc/interrupts."""
        device = self._interrupts.get(number)
        return self._find_other(number) if device is None else device.path


@functools.cache
def processing_system() -> ProcessingSystem:
    """The one of this process; pynq looks for files of interrupts there."""
    found = ProcessingSystem(pynq.interrupt.get_uio_irq)
    pynq.interrupt.get_uio_irq = found.find_file
    return found
