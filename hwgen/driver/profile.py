# SPDX-License-Identifier: Apache-2.0
"""Where the time goes: the engine's own counters, and the clock on the wall."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hwgen.program.registers import STALLS

_PREFIX = "stall_"


@dataclass(frozen=True)
class Profile:
    """What a call of ``predict`` took.

    Attributes:
        images: that were given.
        batch: images of a run.
        clock_mhz: of the engine.
        cycles: of each run from start to done; None where the engine has no counters.
        stalls: cycles without a row by cause, of each run; ``memory`` goes on beside the others.
        seconds: the whole call, with packing and waiting.
        note: what may be wrong with these figures; empty in general.
    """

    images: int
    batch: int
    clock_mhz: float
    cycles: "tuple[int, ...] | None"
    stalls: "dict[str, tuple[int, ...]]"
    seconds: float
    note: str = ""

    @property
    def runs(self) -> int:
        return -(-self.images // self.batch)

    @property
    def engine_ms(self) -> "float | None":
        """Milliseconds of all runs, by the engine's count."""
        return None if self.cycles is None else sum(self.cycles) / (self.clock_mhz * 1e3)

    @property
    def engine_images_per_s(self) -> "float | None":
        """What the engine alone would do, one full run after the other."""
        if self.cycles is None:
            return None
        return self.batch * len(self.cycles) * self.clock_mhz * 1e6 / sum(self.cycles)

    @property
    def images_per_s(self) -> float:
        """What the caller got."""
        return self.images / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """All of it, ready for ``json.dumps``."""
        return {
            "images": self.images,
            "batch": self.batch,
            "clock_mhz": self.clock_mhz,
            "cycles": None if self.cycles is None else list(self.cycles),
            "stalls": {cause: list(counts) for cause, counts in self.stalls.items()},
            "seconds": self.seconds,
            "engine_ms": self.engine_ms,
            "engine_images_per_s": self.engine_images_per_s,
            "images_per_s": self.images_per_s,
            "note": self.note,
        }

    def __str__(self) -> str:
        rows = [
            ("images", f"{self.images:,}", f"in {self.runs:,} runs of {self.batch}"),
            ("whole call", f"{self.seconds * 1e3:,.2f} ms", f"{self.images_per_s:,.1f} images/s"),
        ]
        if self.cycles is not None:
            total = sum(self.cycles)
            rate = f"{self.engine_images_per_s:,.1f} images/s at {self.clock_mhz:g} MHz"
            rows += [
                ("engine", f"{self.engine_ms:,.2f} ms", rate),
                ("cycles", f"{total:,}", f"{total / len(self.cycles):,.0f} a run"),
            ]
            rows += [
                (f"  {cause}", f"{sum(counts):,}", f"{sum(counts) / total:.1%}")
                for cause, counts in self.stalls.items()
            ]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [f"{a:{widths[0]}}  {b:>{widths[1]}}  {c}" for a, b, c in rows]
        return "\n".join([*lines, *([f"note: {self.note}"] if self.note else [])])


def profile(
    counters: Sequence[dict[str, int]],
    images: int,
    batch: int,
    clock_mhz: float,
    seconds: float,
    note: str,
) -> Profile:
    """The profile of runs.

    Args:
        counters: of the engine after each run, see ``HwgenEngine.counters``.
    """
    counted = all(counters)
    return Profile(
        images=images,
        batch=batch,
        clock_mhz=clock_mhz,
        cycles=tuple(run["cycles"] for run in counters) if counted else None,
        stalls={
            stall.name.removeprefix(_PREFIX): tuple(run[stall.name] for run in counters)
            for stall in STALLS
            if counted
        },
        seconds=seconds,
        note=note,
    )
