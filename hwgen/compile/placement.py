# SPDX-License-Identifier: Apache-2.0
"""Where each value lies on chip, and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hwgen.compile.groups import Arrangement, Root
from hwgen.errors import FitError
from hwgen.golden.select import most_heads
from hwgen.ir.graph import (
    Attention,
    FusedLinear,
    Graph,
    Op,
    PatchEmbedding,
    SelectTokens,
    TakeToken,
    TokenMean,
    Tokens,
)
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer
from hwgen.quant.streams import wide_streams


class NoRoom(FitError):
    """A value finds no place; ``index`` is that of the operation that makes it."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True, eq=False)
class Placement:
    """A value in a buffer.

    ``columns`` (int64) gives each real column's position among the padded ones, ``slices *
    lanes`` in all; the rest hold zeros. ``rows`` rows of an image are kept, from ``first_row`` of
    the value. There are places for ``images`` images, ``pitch`` vectors apart; later images use
    them again.

    Where ``depth`` token selections have made the rows, there are at most ``rows`` of them, and the
    images of a ``group`` follow each other with as many as each has: only the first one's address
    is known.
    """

    buffer: Buffer
    address: int
    stride: int
    slices: int
    first_row: int
    rows: int
    columns: np.ndarray
    images: int = 1
    pitch: int = 0
    depth: int = 0
    group: int = 1

    def address_of(self, image: int, row: int) -> int:
        """The vector that holds ``row`` of slice 0 of an image of the batch; of the first image of
        its group where row counts are not known.
        """
        first = image - image % self.group if self.depth else image
        return self.address + first % self.images * self.pitch + row - self.first_row

    def merges(self, rows: int) -> bool:
        """Whether ``rows`` rows of every image lie one after the other, as one matrix."""
        return self.images == 1 or self.pitch == rows

    def follows(self, image: int) -> bool:
        """Whether an image lies behind others of its group, however many rows they have."""
        return self.depth > 0 and image % self.group > 0


def padded_columns(count: int, heads: int, lanes: int) -> tuple[np.ndarray, int]:
    """Positions of ``count`` columns when each head is padded to whole slices, and the slices."""
    size = count // heads
    slices = -(-size // lanes)
    head, inside = np.divmod(np.arange(count), size)
    return head * slices * lanes + inside, heads * slices


def place(
    graph: Graph, arrangement: Arrangement, images: int, engine: EngineConfig
) -> dict[str, Placement]:
    """A place for every value of a canonical ``graph``.

    What lives inside a stage is placed for one group and used again by the next one; what a later
    stage reads is placed for all ``images``, and kept from the start of the one stage to the end
    of the other.

    Raises:
        NoRoom: a buffer is too small; names the value, the need and what to change.
    """
    wide = wide_streams(graph)
    plots = _plots(graph, arrangement, images)
    chain = _chain(graph, plots)
    always = {plot.root: plot for plot, _ in chain}
    plots = [always.get(plot.root, plot) for plot in plots]
    length = max((offset + plot.rows for plot, offset in chain), default=0)
    placed: dict[str, Placement] = {}
    taken: dict[str, Placement] = {}
    for plot, offset in chain:
        name = plot.root.value
        placed[name] = _placement(graph, plot, wide, offset, length, engine)
        # The whole stream, of which this is one part.
        taken[name] = replace(placed[name], address=0)
        _check(graph, plot.root, taken[name], engine)
    for plot in sorted(plots, key=lambda p: (not p.crosses, p.root.made)):
        name = plot.root.value
        if name in placed:
            continue
        new = _placement(graph, plot, wide, 0, plot.rows, engine)
        alive = [
            taken[other.root.value]
            for other in plots
            if other.root.value in taken
            and taken[other.root.value].buffer == new.buffer
            and other.first <= plot.last
            and plot.first <= other.last
        ]
        placed[name] = taken[name] = replace(
            new, address=_first_gap(alive, new.stride * new.slices)
        )
        _check(graph, plot.root, placed[name], engine)
    return {
        name: replace(
            (base := placed[home.root.value]),
            address=base.address + home.offset,
            first_row=home.first_row,
            rows=home.rows,
            depth=base.depth if home.rows == home.root.rows else 0,
        )
        for name, home in arrangement.homes.items()
    }


@dataclass(frozen=True)
class _Plot:
    """What a root asks for: places for ``images`` images, ``pitch`` rows apart, from operation
    ``first`` to ``last``; ``crosses`` where a later stage reads it.
    """

    root: Root
    images: int
    pitch: int
    first: int
    last: int
    crosses: bool

    @property
    def rows(self) -> int:
        """From the first image's first row to the last one's last."""
        return (self.images - 1) * self.pitch + self.root.rows


def _plots(graph: Graph, arrangement: Arrangement, images: int) -> list[_Plot]:
    roots = dict.fromkeys(home.root for home in arrangement.homes.values())
    uses: dict[Root, list[tuple[int, int]]] = {root: [] for root in roots}
    for index, op in enumerate(graph.ops):
        for home in arrangement.reads(op):
            uses[home.root].append((index, home.rows))
    stage_of = {index: stage for stage in arrangement.stages() for index in stage}
    plots = []
    for root in roots:
        first, last = root.made, max((index for index, _ in uses[root]), default=root.made)
        later = [rows for i, rows in uses[root] if stage_of[i] != stage_of[root.made]]
        if later:
            first, last = stage_of[first][0], stage_of[last][-1]
        everywhere = bool(later) or root.value == graph.output
        plots.append(
            _Plot(
                root,
                images if everywhere else root.group,
                max(later, default=root.rows),
                first,
                last,
                bool(later),
            )
        )
    return plots


def _chain(graph: Graph, plots: list[_Plot]) -> list[tuple[_Plot, int]]:
    """The residual stream of a network that selects tokens: its plots before and after each
    selection, with their offsets in one place.

    A selection moves rows to lower addresses, or where they lie. Each plot therefore begins a row
    an image after the next one, since a selection can leave one row more than it found; and where
    images come one by one, behind the places of all but the last of those that went before.
    """
    made = {op.output for op in graph.ops if isinstance(op, Tokens | SelectTokens)}
    stream = sorted((p for p in plots if p.root.value in made), key=lambda p: p.root.made)
    if len(stream) < 2:
        return []
    chain: list[tuple[_Plot, int]] = []
    offset = 0
    for plot, following in zip(reversed(stream), (None, *reversed(stream)), strict=False):
        if following is not None:
            offset += following.images
            offset += max(0, following.images - plot.images) * following.pitch
        chain.append((replace(plot, first=0, last=len(graph.ops)), offset))
    return chain[::-1]


def _placement(
    graph: Graph, plot: _Plot, wide: Mapping[str, str], address: int, stride: int,
    engine: EngineConfig,
) -> Placement:  # fmt: skip
    root = plot.root
    buffer, slices, columns = _shape(graph, root.value, root.value in wide, engine)
    return Placement(
        buffer, address, stride, slices, 0, root.rows, columns, plot.images, plot.pitch,
        root.depth, root.group,
    )  # fmt: skip


def _shape(
    graph: Graph, name: str, wide: bool, engine: EngineConfig
) -> tuple[Buffer, int, np.ndarray]:
    """Buffer, slices and column positions of a value; ``wide`` where it has 16 bits."""
    producer = graph.producer(name)
    if producer is None:
        (embedding,) = (op for op in graph.ops if isinstance(op, PatchEmbedding))
        columns, slices = padded_columns(embedding.weight.shape[1], 1, engine.lanes)
        return Buffer.WORK, slices, columns
    buffer = Buffer.WORK
    if name == graph.output:
        buffer = Buffer.OUTPUT
    elif wide:
        buffer = Buffer.RESIDUAL
    if any(isinstance(op, SelectTokens) and op.scores == name for op in graph.ops):
        return buffer, 1, score_columns(graph, name, engine.lanes)
    heads = 1
    for op in (producer, *graph.consumers(name)):
        if isinstance(op, Attention):
            heads = op.heads
            buffer = Buffer.VALUE if name == op.value else buffer
    columns, slices = padded_columns(_width(graph, producer), heads, engine.lanes)
    return buffer, slices, columns


def score_columns(graph: Graph, name: str, lanes: int) -> np.ndarray:
    """Positions of a selector's scores: differences from lane 0, importances from the middle on.

    Raises:
        FitError: more heads than there are lanes for.
    """
    (selection,) = (op for op in graph.ops if isinstance(op, SelectTokens) and op.scores == name)
    heads = selection.heads
    if heads > most_heads(lanes):
        raise FitError(
            f"The token selector {selection.name!r} has {heads} heads; an engine of {lanes} lanes "
            f"takes {most_heads(lanes)}. Use more lanes, or train a selector with fewer heads."
        )
    return np.concatenate([np.arange(heads), lanes // 2 + np.arange(heads)])


def _width(graph: Graph, op: Op | None) -> int:
    """Real columns of an operation's output."""
    match op:
        case FusedLinear():
            return op.weight.shape[0]
        case Tokens():
            return op.position.shape[1]
        case Attention():
            return _width(graph, graph.producer(op.value))
        case TakeToken() | TokenMean() | SelectTokens():
            return _width(graph, graph.producer(op.input))
    raise AssertionError(op)


def _first_gap(alive: list[Placement], size: int) -> int:
    """The lowest address at which ``size`` vectors lie free."""
    address = 0
    for other in sorted(alive, key=lambda p: p.address):
        if address + size <= other.address:
            break
        address = max(address, other.address + other.slices * other.stride)
    return address


def _check(graph: Graph, root: Root, place: Placement, engine: EngineConfig) -> None:
    depths = {
        Buffer.RESIDUAL: ("residual_depth", engine.residual_depth),
        Buffer.WORK: ("work_depth", engine.work_depth),
        Buffer.VALUE: ("value_depth", engine.value_depth),
    }
    if place.buffer not in depths:
        return
    field, depth = depths[place.buffer]
    need = place.address + place.slices * place.stride
    if need > depth:
        raise NoRoom(
            f"{graph.name} does not fit the engine: value {root.value!r} ({place.rows} rows, "
            f"{len(place.columns)} columns) needs {need} vectors of the "
            f"{place.buffer.name.lower()} buffer, the engine has {depth}. Raise engine.{field} in "
            f"the configuration to {need} or more, or use a narrower model or fewer tokens.",
            root.made,
        )
