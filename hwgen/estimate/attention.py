# SPDX-License-Identifier: Apache-2.0
"""ATTENTION in time: the product of one head runs while another head is in softmax."""

import numpy as np

from hwgen.estimate.array import Rows, Tile
from hwgen.estimate.machine import Machine
from hwgen.estimate.result import Cause
from hwgen.program.extent import Extent, reads, writes
from hwgen.program.instructions import Attention


class HeadPipeline:
    """One ATTENTION: Q K^T of the next heads, then P V of the oldest head in flight.

    The softmax unit takes a vector of scores a cycle. It starts on a row when its last scores are
    written, for the row's maximum is kept while they come; exponentials follow at the same pace.
    """

    def __init__(self, machine: Machine, op: Attention, rows: int, keys: int) -> None:
        lanes, timing = machine.engine.lanes, machine.timing
        self._machine = machine
        self._op = op
        self._rows = rows
        self._query, self._key, self._value = (
            machine.buffers.ready(extent) for extent in reads(op, rows, keys)
        )
        destination = writes(op, rows)
        assert destination is not None
        self._destination: Extent = destination
        self._key_slices = [(n, min(n + lanes, keys)) for n in range(0, keys, lanes)]
        heads_per_buffer = machine.engine.score_depth // (rows * len(self._key_slices))
        self._capacity = timing.score_buffers * max(1, heads_per_buffer)
        self._ahead = max(0, min(timing.heads_ahead, self._capacity - 1))
        self._softmax_free = 0
        self._exponentials: list[np.ndarray] = []
        """Of each head, the cycle from which each row's exponentials can be read."""
        self._scores_left: list[int] = []
        """Of each head, when the softmax unit has read its last scores."""
        self._exponentials_left: list[int] = []
        """Of each head, when its last exponentials have entered the array."""

    def run(self) -> int:
        """Returns the cycle of the last write."""
        end = 0
        for step in range(self._op.heads + self._ahead):
            if step < self._op.heads:
                self._softmax(self._scores(step))
            if step >= self._ahead:
                end = max(end, self._product(step - self._ahead))
        return end

    def _slices(self, head: int) -> range:
        return range(head * self._op.head_slices, (head + 1) * self._op.head_slices)

    def _scores(self, head: int) -> np.ndarray:
        """Q K^T of one head; returns when each row's scores are complete."""
        array = self._machine.array
        array.issue()
        reuse = head - self._capacity
        room = self._scores_left[reuse] - array.latency if reuse >= 0 else 0
        entries = np.zeros(self._rows, np.int64)
        streams = {s: self._queries(s, room) for s in self._slices(head)}
        for first, last in self._key_slices:
            for k, (part, stream) in enumerate(streams.items()):
                # A key is a column of the tile and lies in WORK as it is loaded.
                keys = self._key[part, first:last]
                tile = Tile(int(keys.max()), last - first, Cause.PIPELINE)
                entries = array.run(stream, tile, accumulate=k > 0)
        return entries + array.latency

    def _queries(self, part: int, room: int) -> Rows:
        ready = self._query[part]
        if room > int(ready.max()):
            return Rows(np.full(self._rows, room), Cause.SOFTMAX)
        return Rows(ready)

    def _softmax(self, complete: np.ndarray) -> None:
        reuse = len(self._exponentials) - self._capacity
        start = self._softmax_free
        if reuse >= 0:
            start = max(start, self._exponentials_left[reuse])
        pace = len(self._key_slices)
        index = np.arange(self._rows) * pace
        read = np.maximum.accumulate(np.maximum(complete - index, start)) + index + pace
        self._softmax_free = int(read[-1])
        self._scores_left.append(self._softmax_free)
        self._exponentials.append(read + self._machine.timing.softmax_latency)

    def _product(self, head: int) -> int:
        """P V of one head; returns the cycle of the last write."""
        array = self._machine.array
        array.issue()
        stream = Rows(self._exponentials[head], Cause.SOFTMAX)
        end = 0
        for part in self._slices(head):
            entries = np.zeros(self._rows, np.int64)
            for k, (first, last) in enumerate(self._key_slices):
                # VALUE hands out columns: one channel of all these values a vector.
                values = self._value[part, first:last]
                tile = Tile(int(values.max()), self._machine.engine.lanes, Cause.PIPELINE)
                entries = array.run(stream, tile, accumulate=k > 0)
            end = self._machine.store(self._destination, part, entries)
        self._exponentials_left.append(array.free)
        return end
