# SPDX-License-Identifier: Apache-2.0
"""The engine in time: when each item starts, by the rules of ``kernels_rtl/issuer.sv``, with tiles
brought by loader and filler (``tile_loader.sv``, ``tile_filler.sv``) from the weight stream.

Times are cycles from the start of the run. Row ``r`` of an item that starts in cycle ``t`` is sent
in cycle ``t + 1 + r``.
"""

from collections import Counter, deque
from dataclasses import dataclass, replace

from hwgen.estimate.items import Item, Kind, Place, Tile
from hwgen.estimate.latency import Latency
from hwgen.estimate.result import Cause
from hwgen.estimate.stream import ReadStream
from hwgen.estimate.timing import Timing
from hwgen.program.engine import EngineConfig

QUEUE = 4
"""Items, and tiles, that the sequencer may be ahead."""
SQUARE_WRITE = 3
"""Last vector of a tile read from its buffer to the tile being whole in the square."""
SQUARE_READ = 3
"""A vector read from the square to the array's weight port."""
ANNOUNCED = 7
"""The issuer takes a tile so many cycles before its last weights are in the array."""
SWAP_AHEAD = 2
"""The loader begins the next tile so many cycles before the first row of one is in the array."""
AFTER_SUM = 4
"""From the start of an item to that of one that has neither tile nor source to wait for."""
AFTER_COUNT = 7
"""From the row count of a token selection to the pass of its next slice."""
WALK = 3
"""Decoding an instruction up to its first item, with nothing before it under way."""


@dataclass(frozen=True)
class _Writer:
    """First and last row of the last item that wrote to a place, and the matrix it wrote; None
    where its rows do not lie as they were sent.
    """

    first: int
    last: int
    base: int | None


@dataclass(frozen=True)
class _Arrival:
    """When a tile can be used, and how long its loader waited for the weight stream."""

    ready: int
    starved: int


class Schedule:
    """Issuer, loader, filler and stream of one engine during one run.

    Attributes:
        free: cycle in which the next item could start.
        busy: cycles in which a row was sent, since the last ``settle``.
    """

    def __init__(self, engine: EngineConfig, timing: Timing) -> None:
        self._lanes = engine.lanes
        self._timing = timing
        self._latency = Latency(engine.lanes)
        self._stream = ReadStream(engine, timing)
        self._writers: dict[Place, _Writer] = {}
        # First and last cycle in which an item wrote to the work buffer.
        self._work_writes: deque[tuple[int, int]] = deque(maxlen=8)
        self._normalised = self._exponentials = self._table_free = 0
        # Sums of dropped rows, or of results, complete; token registers written.
        self._summed = self._counted = 0
        # Constants of the last GELU, and when its last row was sent.
        self._gelu: object = None
        self._gelu_last = -self._latency.after_write
        self._starts: deque[int] = deque([0] * (QUEUE + 1), maxlen=QUEUE + 1)
        # Loader: free to take a tile; shadow weights free to be overwritten.
        self._loader = self._shadow = 0
        # Filler: free to take a tile; each half of the square free to be overwritten.
        self._filler = 0
        self._halves = [0, 0]
        self._half = 0
        self.free = timing.startup
        self.busy = 0
        self._stalls: Counter[Cause] = Counter({Cause.STARTUP: timing.startup})

    @property
    def ddr_cycles(self) -> int:
        """Cycles in which data arrived from memory."""
        return self._stream.busy

    def settle(self) -> tuple[int, dict[Cause, int]]:
        """Busy and stall cycles since the last call."""
        busy, stalls = self.busy, {cause: n for cause, n in self._stalls.items() if n}
        self.busy, self._stalls = 0, Counter()
        return busy, stalls

    def wait(self, until: int, cause: Cause) -> None:
        """Nothing starts before ``until``."""
        if until > self.free:
            self._stalls[cause] += until - self.free
            self.free = until

    def load(self, beats: int) -> int:
        """LOAD: nothing else runs. Returns the cycle of the last write."""
        self.wait(self._settled(), Cause.PIPELINE)
        begin = self.free + WALK
        last = max(self._stream.fetch(beats), begin + beats)
        self._stream.release(beats, last)
        self._loader = last
        self.wait(begin + beats, Cause.ISSUE)
        self.wait(last, Cause.MEMORY)
        self.wait(last + WALK, Cause.ISSUE)
        return last

    def fill_table(self) -> None:
        """The sequencer has come to an attention: exponentials, when nothing uses those before."""
        reached = self._starts[0] + 1
        self._exponentials = max(reached, self._table_free) + self._latency.after_softmax

    def run(self, item: Item) -> int:
        """Starts an item as soon as the issuer would. Returns the cycle of its last result."""
        arrival = self._tile(item.tile) if item.tile else _Arrival(0, 0)
        late = max(0, arrival.ready - self.free)
        self.wait(arrival.ready - min(late, arrival.starved), Cause.TILE_LOAD)
        self.wait(arrival.ready, Cause.MEMORY)
        until, cause = self._dependency(item)
        if item.tile is None and item.kind in (Kind.PASS, Kind.SELECT, Kind.SUM):
            until = max(until, self._starts[-1] + AFTER_SUM)
        self.wait(until, cause)
        start = self.free
        self._starts.append(start)
        if item.kind is Kind.NORMALISE:
            self._normalised = start
            self._stalls[Cause.ISSUE] += 1
            self.free = start + 1
            return 0
        self.busy += item.rows
        self.free = start + item.rows
        if item.decides:
            self._counted = self.free + self._latency.after_decision
        if item.rows == 1:
            # The counters must see the row before they are asked.
            self._stalls[Cause.ISSUE] += 1
            self.free += 1
        return self._sent(item, start + 1, start + item.rows)

    def _sent(self, item: Item, first: int, last: int) -> int:
        """Keeps what later items and tiles depend on."""
        if item.tile:
            self._shadow = first + self._latency.array_at - SWAP_AHEAD
        if item.source[0] is Place.SCORES:
            self._table_free = last + 1 + self._latency.epilogue_at
        if item.gelu:
            self._gelu, self._gelu_last = item.gelu, last
        place, base = item.target
        if item.kind is Kind.MEASURE:
            place, base = item.source
        elif not item.last:
            return 0
        self._summed = last + self._latency.after_sum
        self._writers[place] = self._writer(item, first, last, place, base)
        if place is Place.WORK:
            at = self._latency.result_at
            self._work_writes.append((first + at, last + at))
        return last + self._latency.result_at

    def _writer(self, item: Item, first: int, last: int, place: Place, base: int) -> _Writer:
        before = self._writers.get(place)
        if item.kind is Kind.SUM and before is not None:
            return replace(before, last=last)
        return _Writer(first, last, None if item.kind is Kind.SELECT else base)

    def _settled(self) -> int:
        """Cycle in which everything issued has arrived."""
        ends = [w.last + 1 + self._distance(place) for place, w in self._writers.items()]
        return max([self.free, *ends])

    def _distance(self, place: Place) -> int:
        match place:
            case Place.RESIDUAL:
                return self._latency.after_statistics
            case Place.SCORES:
                return self._latency.after_maximum
            case _:
                return self._latency.after_write

    def _follows(self, place: Place, base: int | None) -> int:
        """Cycle from which an item may read a matrix: row by row behind its writer, or (``base``
        None, or another matrix was written last) after it.
        """
        writer = self._writers.get(place)
        if writer is None:
            return 0
        distance = self._distance(place)
        after = writer.last + 1 + distance
        if base is None or base != writer.base:
            return after
        return min(after, writer.first + 1 + distance)

    def _dependency(self, item: Item) -> tuple[int, Cause]:
        match item.kind:
            case Kind.MEASURE:
                return self._follows(Place.RESIDUAL, None), Cause.NORMALISE
            case Kind.NORMALISE:
                return self._follows(*item.source), Cause.NORMALISE
            case Kind.SELECT:
                return self._selection(item), Cause.PIPELINE
            case Kind.SUM:
                counted = self._counted + self._latency.after_count
                if counted > self._summed:
                    return counted - 1, Cause.ISSUE
                return self._summed - 1, Cause.PIPELINE
        until = 0
        if item.source[0] is Place.RESIDUAL:
            until = self._normalised + 1 + self._latency.after_normalise
        elif item.source[0] is not Place.NOTHING and not item.again:
            until = self._follows(item.source[0], None if item.settled else item.source[1])
        if item.source[0] is Place.SCORES and self._exponentials > until:
            return self._exponentials, Cause.SOFTMAX
        if item.residual is not None:
            until = max(until, self._follows(Place.RESIDUAL, item.residual))
        if item.gelu and item.gelu != self._gelu:
            until = max(until, self._gelu_last + 1 + self._latency.after_write)
        return until, Cause.PIPELINE

    def _selection(self, item: Item) -> int:
        """Scores may be followed row by row; what is selected must be there."""
        if item.again:
            return self._counted + AFTER_COUNT
        scores = self._follows(item.source[0], None if item.settled else item.source[1])
        return max(scores, self._follows(Place.RESIDUAL, None))

    def _tile(self, tile: Tile) -> _Arrival:
        """Brings a tile into the shadow weights."""
        # The sequencer pushes a tile with its item, when the queue has room for it.
        pushed = max(self._starts[0] + 1, self._counted)
        begin = max(self._loader, self._shadow, pushed)
        if not tile.beats:
            return self._square(tile, begin, pushed)
        arrived = self._stream.fetch(tile.beats)
        end = max(begin + tile.beats, arrived)
        self._stream.release(tile.beats, end)
        self._loader = end + 1
        # Announced ahead when what is left of it is in the prefetch buffer.
        ready = max(end - ANNOUNCED, min(arrived, end) + 1)
        return _Arrival(ready, end - begin - tile.beats)

    def _square(self, tile: Tile, begin: int, pushed: int) -> _Arrival:
        """Keys or values, by way of the square."""
        half = self._half
        if not tile.again:
            pushed = max(pushed, self._follows(tile.source, None))
        fill = max(self._filler, self._halves[half], pushed)
        filled = self._filled(tile.source, fill)
        self._filler = filled + 1
        self._half = 1 - half
        begin = max(begin, filled + SQUARE_WRITE)
        end = begin + self._lanes
        self._halves[half] = end + 1
        self._loader = end + 1
        return _Arrival(end + SQUARE_READ - ANNOUNCED, 0)

    def _filled(self, source: Place, begin: int) -> int:
        """When a tile is read from its buffer; writes to the work buffer take precedence."""
        left = self._lanes
        for first, last in self._work_writes if source is Place.WORK else ():
            if begin + left > first and last >= begin:
                left -= max(0, first - begin)
                begin = last + 1
        return begin + left
