# SPDX-License-Identifier: Apache-2.0
"""The array's timeline: tiles pass one after the other, one row a cycle.

Every pass keeps the entry cycle of each of its rows, so an instruction that follows another one
row by row overlaps with it exactly as in hardware.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from hwgen.estimate.result import Cause
from hwgen.estimate.timing import Timing


class Rows:
    """The rows of one pass and the cycle from which each may enter.

    Attributes:
        cause: what a wait for them counts as, beyond the pipeline's own latency.
    """

    def __init__(self, ready: np.ndarray, cause: Cause = Cause.PIPELINE) -> None:
        self.count = len(ready)
        self.cause = cause
        self._index = np.arange(self.count)
        # Rows stay in order and are a cycle apart: row i enters at max(start, floor[i]) + i.
        self._floor = np.maximum.accumulate(ready - self._index)
        self._latest = int(self._floor[-1])

    def enter(self, start: int) -> np.ndarray:
        """Entry cycles, int64 (count,), when the array is free from ``start``."""
        if self._latest <= start:
            return self._index + start
        return np.maximum(self._floor, start) + self._index

    def delay(self, start: int) -> int:
        """Cycles that the last row loses by waiting."""
        return max(0, self._latest - start)


@dataclass(frozen=True)
class Tile:
    """The stationary operand of one pass.

    Attributes:
        ready: cycle at which all of it is in its buffer.
        vectors: vectors to move into the shadow weights.
        cause: what a wait for it counts as.
    """

    ready: int
    vectors: int
    cause: Cause


class Array:
    """The array and its loader of shadow weights.

    A tile is loaded while the tile before it is at work: from the cycle in which that one's
    first row enters, when the shadow weights become the live ones.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._swapped = 0
        self.free = timing.startup
        """First cycle in which the next row can enter."""
        self.loader = timing.startup
        """First cycle in which the loader can take the next tile."""
        self.busy = 0
        self.stalls: Counter[Cause] = Counter({Cause.STARTUP: timing.startup})

    @property
    def latency(self) -> int:
        """Cycles from a row's entry to its result in a buffer."""
        return self._timing.array_latency + self._timing.epilogue_latency

    def settle(self) -> tuple[int, dict[Cause, int]]:
        """Busy and stall cycles since the last call."""
        busy, stalls = self.busy, {cause: n for cause, n in self.stalls.items() if n}
        self.busy, self.stalls = 0, Counter()
        return busy, stalls

    def issue(self) -> None:
        """The bubble before an instruction or a head."""
        self._stall(Cause.ISSUE, self._timing.issue)

    def run(self, rows: Rows, tile: Tile, *, accumulate: bool = False) -> np.ndarray:
        """One pass of ``rows`` over ``tile``; returns the rows' entry cycles.

        Args:
            accumulate: the pass adds to the accumulator rows of the pass before it.
        """
        loaded = self._load(tile)
        if accumulate and rows.count < self._timing.accumulate_distance:
            spacing = self.free + self._timing.accumulate_distance - rows.count
            self._stall(Cause.PIPELINE, spacing - self.free)
        self._wait_for_tile(tile, loaded)
        entries = rows.enter(self.free)
        self._wait_for_rows(rows)
        self._swapped = int(entries[0])
        self.free = int(entries[-1]) + 1
        self.busy += rows.count
        return entries

    def _load(self, tile: Tile) -> int:
        """Moves the tile into the shadow weights; returns the cycle at which it can go live."""
        start = max(self._swapped, self.loader, tile.ready)
        self.loader = start - (-tile.vectors // self._timing.tile_vectors)
        return self.loader

    def _wait_for_tile(self, tile: Tile, loaded: int) -> None:
        wait = loaded - self.free
        if wait > 0:
            duration = -(-tile.vectors // self._timing.tile_vectors)
            # Had the tile been there, loading could have begun after the last swap.
            possible = max(self._swapped + duration, self.free)
            late = min(wait, max(0, loaded - possible))
            self._stall(tile.cause, late)
            self._stall(Cause.TILE_LOAD, wait - late)

    def _wait_for_rows(self, rows: Rows) -> None:
        wait = rows.delay(self.free)
        pipeline = 0 if rows.cause is Cause.MEMORY else min(wait, self.latency)
        self._stall(Cause.PIPELINE, pipeline)
        self._stall(rows.cause, wait - pipeline)

    def _stall(self, cause: Cause, cycles: int) -> None:
        self.stalls[cause] += cycles
        self.free += cycles
