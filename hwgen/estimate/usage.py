# SPDX-License-Identifier: Apache-2.0
"""Amounts of FPGA resources."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Usage:
    """LUTs, flip-flops, DSP48E2, RAMB36E2 and URAM288."""

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram36: int = 0
    uram: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, k) + getattr(other, k) for k in KINDS))

    def __mul__(self, count: int) -> "Usage":
        return Usage(*(getattr(self, k) * count for k in KINDS))


KINDS: tuple[str, ...] = tuple(field.name for field in fields(Usage))

TITLES: dict[str, str] = {
    "lut": "LUTs",
    "ff": "flip-flops",
    "dsp": "DSP slices",
    "bram36": "36 Kb block RAMs",
    "uram": "UltraRAMs",
}


@dataclass(frozen=True)
class Resources:
    """Predicted use of each module of an engine."""

    modules: dict[str, Usage]

    @property
    def total(self) -> Usage:
        return sum(self.modules.values(), Usage())

    def largest(self, kind: str, count: int = 3) -> list[tuple[str, int]]:
        """The modules that take most of one kind of resource."""
        amounts = [(name, getattr(usage, kind)) for name, usage in self.modules.items()]
        return sorted((a for a in amounts if a[1]), key=lambda a: -a[1])[:count]
