# SPDX-License-Identifier: Apache-2.0
"""What can go wrong on a board, on purpose."""

from hwgen.rehearsal.interrupts import InterruptController
from hwgen.rehearsal.simulator import Simulator


class Faults:
    """The faults of a simulated board: each stays until ``clear``."""

    def __init__(self, simulator: Simulator, interrupts: InterruptController) -> None:
        self._simulator = simulator
        self._interrupts = interrupts

    def memory_error(self, first: int, last: int) -> None:
        """DDR answers the engine with an error where it reads or writes these physical addresses,
        the last one included.
        """
        self._simulator.command(f"fail {first} {last}")

    def freeze_memory(self, on: bool = True) -> None:
        """DDR takes nothing from the engine and answers nothing, or goes on where it stopped."""
        self._simulator.command(f"freeze {int(on)}")

    def lose_interrupts(self, on: bool = True) -> None:
        """The engine's interrupt does not reach the interrupt controller."""
        self._interrupts.lose(on)

    def corrupt_port(self, port: int, mask: int) -> None:
        """The ones of ``mask``, 128 bits, are flipped in all words that this memory port reads."""
        self._simulator.command(f"corrupt {port} {mask >> 64} {mask & (1 << 64) - 1}")

    def clear(self) -> None:
        """All is well again."""
        self._interrupts.lose(False)
        self._simulator.command("mend")
