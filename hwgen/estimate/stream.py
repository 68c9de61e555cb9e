# SPDX-License-Identifier: Apache-2.0
"""DDR traffic: one read stream through the prefetch buffer, and the writes of the output."""

import math
from collections import deque

from hwgen.estimate.timing import Timing
from hwgen.program.engine import EngineConfig
from hwgen.program.memory import WORD_BYTES

RESPONSE = 12
"""Queues and words of one vector on its way out."""


class ReadStream:
    """Everything the engine reads, in program order, running ahead as far as the buffer allows.

    Pixels, constants, parameters and weight tiles share the stream. A request is made when the
    prefetch buffer has room for the whole item.
    """

    def __init__(self, engine: EngineConfig, timing: Timing) -> None:
        self._cycles_per_beat = timing.cycles_per_beat(engine.lanes)
        self._latency = timing.ddr_latency
        self._room = engine.prefetch_depth
        self._held: deque[tuple[int, int]] = deque()
        self._arrived: float = timing.startup + timing.request + timing.ddr_latency
        self.beats = 0

    def fetch(self, beats: int) -> int:
        """Cycle at which the last of the stream's next ``beats`` is in the buffer."""
        self.beats += beats
        while self._room < beats and self._held:
            room, freed = self._held.popleft()
            self._room += room
            self._arrived = max(self._arrived, freed + self._latency)
        self._room -= beats
        self._arrived += beats * self._cycles_per_beat
        return math.ceil(self._arrived)

    def release(self, beats: int, cycle: int) -> None:
        """The oldest ``beats`` still held leave the buffer at ``cycle``."""
        self._held.append((beats, cycle))

    @property
    def busy(self) -> int:
        """Cycles in which data arrived."""
        return math.ceil(self.beats * self._cycles_per_beat)


class WriteStream:
    """Output vectors through one port of 16 bytes a cycle, one after the other. Their bandwidth is
    not taken from the reads: they are the logits, at the very end.
    """

    def __init__(self, engine: EngineConfig, timing: Timing) -> None:
        self._cycles_per_vector = 2 * engine.lanes // WORD_BYTES
        self._latency = timing.ddr_latency
        self._free = 0

    def write(self, last: int, vectors: int) -> int:
        """Cycle at which ``vectors`` are in DDR, the last of them made in cycle ``last``, the
        others before it.
        """
        self._free = max(self._free + vectors * self._cycles_per_vector, last + RESPONSE)
        return self._free + self._latency
