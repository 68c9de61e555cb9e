# SPDX-License-Identifier: Apache-2.0
"""The engine in time: its units, and what LOAD and MATMUL do with them."""

from itertools import pairwise

import numpy as np

from hwgen.estimate.array import Array, Rows, Tile
from hwgen.estimate.buffers import Availability
from hwgen.estimate.result import Cause
from hwgen.estimate.stream import ReadStream, WriteStream
from hwgen.estimate.timing import Timing
from hwgen.program.engine import EngineConfig
from hwgen.program.extent import Extent, reads, writes
from hwgen.program.fields import Buffer
from hwgen.program.instructions import Load, Matmul
from hwgen.program.memory import PAGE_BEATS
from hwgen.program.program import PARAMETER_BYTES


class Machine:
    """All units of one engine at the start of a run."""

    def __init__(self, engine: EngineConfig, timing: Timing) -> None:
        self.engine = engine
        self.timing = timing
        self.array = Array(timing)
        self.buffers = Availability(engine)
        self.reads = ReadStream(engine, timing)
        self.writes = WriteStream(engine, timing)

    def store(self, destination: Extent, part: int, entries: np.ndarray) -> int:
        """Rows that entered the array at ``entries`` become slice ``part`` of ``destination``.

        Returns:
            The cycle at which the last of them is there.
        """
        times = entries + self.array.latency
        if destination.buffer == Buffer.OUTPUT:
            return self.writes.write(times)
        self.buffers.write(destination, part, times)
        return int(times[-1])

    def load(self, op: Load) -> int:
        """Vectors straight from DDR, a page at a time; the array goes on meanwhile.

        They are written once the last row of the instruction before has entered the array, so no
        operand of it is overwritten.
        """
        destination = writes(op, 0)
        assert destination is not None
        beats_per_vector = 2 if op.destination_buffer == Buffer.RESIDUAL else 1
        pages = range(0, op.vectors, PAGE_BEATS // beats_per_vector)
        time = max(self.array.loader, self.array.free)
        done = np.zeros(op.vectors, np.int64)
        for first, last in pairwise((*pages, op.vectors)):
            beats = (last - first) * beats_per_vector
            arrived = self.reads.fetch(beats)
            time = max(time + beats, arrived)
            done[first:last] = time - beats_per_vector * np.arange(last - first - 1, -1, -1)
            self.reads.release(beats, time)
        self.array.loader = time
        self.buffers.write(destination, 0, done, loaded=True)
        return time

    def matmul(self, op: Matmul, rows: int) -> int:
        """Output slices outside, reduction slices inside; the last reduction slice's rows go
        straight on to the epilogue. Returns the cycle of the last write.
        """
        source = reads(op, rows, 0)[0]
        destination = writes(op, rows)
        assert destination is not None
        streams = self._rows(op, source)
        self.array.issue()
        end = 0
        for n in range(op.output_slices):
            entries = np.zeros(rows, np.int64)
            for k, stream in enumerate(streams):
                # Eight bytes a channel are as many beats; they come ahead of the first tile.
                beats = self.engine.lanes + (PARAMETER_BYTES if k == 0 else 0)
                tile = Tile(self.reads.fetch(beats), beats, Cause.MEMORY)
                entries = self.array.run(stream, tile, accumulate=k > 0)
                self.reads.release(beats, self.array.loader)
            end = max(end, self.store(destination, n, entries))
        return end

    def _rows(self, op: Matmul, source: Extent) -> list[Rows]:
        """The rows of each reduction slice."""
        ready = self.buffers.ready(source)
        if op.normalise:
            # A row can be normalised when all of it is known.
            statistics = ready.max(axis=0) + self.timing.normalise_latency
            return [Rows(statistics, Cause.NORMALISE)] * len(ready)
        cause = Cause.MEMORY if self.buffers.loaded(source) else Cause.PIPELINE
        return [Rows(times, cause) for times in ready]
