# SPDX-License-Identifier: Apache-2.0
"""What the cycle model returns."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from hwgen.program.fields import Opcode


class Cause(StrEnum):
    """Why no row enters the array. The RTL's stall counters carry the same names."""

    STARTUP = "startup"
    """Start bit to the first instruction."""
    ISSUE = "issue"
    """Bubble between instructions and between heads."""
    MEMORY = "memory"
    """Weights, pixels or constants have not arrived from DDR."""
    TILE_LOAD = "tile_load"
    """The tile is on chip, its weights are not in the array yet."""
    PIPELINE = "pipeline"
    """Rows (or keys and values) are still in the array's or the epilogue's pipeline."""
    NORMALISE = "normalise"
    """Rows wait for their mean and variance."""
    SOFTMAX = "softmax"
    """Rows wait for the table of exponentials."""
    DRAIN = "drain"
    """The last rows leave the pipeline and reach DDR."""


@dataclass(frozen=True)
class InstructionCycles:
    """One instruction's share of a run.

    Attributes:
        start: cycle from which the array is its own; for LOAD, from which it may write.
        end: cycle at which its last result can be read.
        busy: cycles in which a row entered the array.
        stalls: cycles in which none did, by cause; causes without cycles are left out.
        macs: multiplications that count, see ``hwgen.estimate.work``.
    """

    index: int
    label: str
    opcode: Opcode
    start: int
    end: int
    busy: int
    stalls: dict[Cause, int]
    macs: int

    @property
    def cycles(self) -> int:
        """Cycles attributed to the instruction; they add up to the run's total."""
        return self.busy + sum(self.stalls.values())


@dataclass(frozen=True)
class CycleEstimate:
    """The predicted run of one Program.

    Attributes:
        total: cycles from start to done.
        lanes: rows and columns of the array.
        ddr_cycles: cycles in which DDR delivers data.
    """

    name: str
    total: int
    lanes: int
    instructions: tuple[InstructionCycles, ...]
    ddr_cycles: int

    @property
    def macs(self) -> int:
        return sum(item.macs for item in self.instructions)

    @property
    def utilisation(self) -> float:
        """Share of the array's multipliers at work, 0 to 1."""
        return self.macs / (self.total * self.lanes**2)

    @property
    def busy(self) -> int:
        """Cycles in which a row entered the array."""
        return sum(item.busy for item in self.instructions)

    @property
    def stalls(self) -> dict[Cause, int]:
        """Stall cycles of the whole run, every cause."""
        total: Counter[Cause] = Counter()
        for item in self.instructions:
            total.update(item.stalls)
        return {cause: total[cause] for cause in Cause}

    def seconds(self, clock_mhz: float) -> float:
        """Duration of the run at a clock in MHz."""
        return self.total / (clock_mhz * 1e6)
