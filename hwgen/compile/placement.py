# SPDX-License-Identifier: Apache-2.0
"""Where each value lies on chip, and for how long."""

from dataclasses import dataclass, replace

import numpy as np

from hwgen.errors import FitError, ModelError
from hwgen.ir.graph import (
    Attention,
    FusedLinear,
    Graph,
    Op,
    PatchEmbedding,
    TakeToken,
    Tokens,
    inputs_of,
)
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer
from hwgen.quant.streams import wide_streams


@dataclass(frozen=True, eq=False)
class Placement:
    """A value in a buffer.

    ``columns`` (int64) gives each real column's position among the padded ones, ``slices *
    lanes`` in all; the rest hold zeros. ``rows`` rows are kept, from ``first_row`` of the value.
    """

    buffer: Buffer
    address: int
    stride: int
    slices: int
    first_row: int
    rows: int
    columns: np.ndarray

    def address_of(self, row: int) -> int:
        """The vector that holds ``row`` of slice 0."""
        return self.address + row - self.first_row


def padded_columns(count: int, heads: int, lanes: int) -> tuple[np.ndarray, int]:
    """Positions of ``count`` columns when each head is padded to whole slices, and the slices."""
    size = count // heads
    slices = -(-size // lanes)
    head, inside = np.divmod(np.arange(count), size)
    return head * slices * lanes + inside, heads * slices


def place(
    graph: Graph, rows: dict[str, int], single: dict[str, int], engine: EngineConfig
) -> dict[str, Placement]:
    """A place for every value of a canonical ``graph``.

    Args:
        rows: row count of each value.
        single: values of which one row alone is computed, with its index.

    Raises:
        FitError: a buffer is too small; names the value, the need and what to change.
        ModelError: a residual value is needed again after it was added to.
    """
    last_use = {name: i for i, op in enumerate(graph.ops) for name in inputs_of(op)}
    skipped = {op.input for op in graph.ops if isinstance(op, Tokens)}
    wide = wide_streams(graph)
    placed: dict[str, Placement] = {}
    free_after: dict[str, int] = {}
    # The input lives from the start; the patch product goes straight into the residual stream.
    order = [(0, graph.input.name)] + [(i, op.output) for i, op in enumerate(graph.ops)]
    for index, name in order:
        if name in skipped:
            continue
        count, first = (1, single[name]) if name in single else (rows[name], 0)
        producer = graph.producer(name)
        source = _alias(producer, graph.output)
        if source is not None:
            base = placed[source]
            start = producer.index if isinstance(producer, TakeToken) else first
            if not isinstance(producer, TakeToken) and last_use[source] > index:
                # Its place is overwritten by the sum.
                raise ModelError(
                    f"Value {source!r} is used again after {name!r} was added to it. hwgen keeps "
                    "one residual stream; rewrite the model so that each sum is used in its place."
                )
            address = base.address_of(start)
            placed[name] = replace(base, address=address, first_row=first, rows=count)
            free_after[source] = max(free_after[source], last_use.get(name, index))
        else:
            buffer, slices, columns = _shape(graph, name, name in wide, engine)
            alive = [
                placed[other]
                for other in placed
                if free_after[other] >= index and placed[other].buffer == buffer
            ]
            address = _first_gap(alive, count * slices)
            placed[name] = Placement(buffer, address, count, slices, first, count, columns)
            _check(graph, name, placed[name], engine)
        free_after[name] = last_use.get(name, index)
    return placed


def _alias(op: Op | None, output: str) -> str | None:
    """The value in whose place an operation's result lies: a residual stream never moves."""
    match op:
        case TakeToken():
            return op.input
        case FusedLinear() if op.residual is not None and op.output != output:
            return op.residual
        case _:
            return None


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
    heads = 1
    for op in (producer, *graph.consumers(name)):
        if isinstance(op, Attention):
            heads = op.heads
            buffer = Buffer.VALUE if name == op.value else buffer
    columns, slices = padded_columns(_width(graph, producer), heads, engine.lanes)
    return buffer, slices, columns


def _width(graph: Graph, op: Op | None) -> int:
    """Real columns of an operation's output."""
    match op:
        case FusedLinear():
            return op.weight.shape[0]
        case Tokens():
            return op.position.shape[1]
        case Attention():
            return _width(graph, graph.producer(op.value))
        case TakeToken():
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


def _check(graph: Graph, name: str, place: Placement, engine: EngineConfig) -> None:
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
        raise FitError(
            f"{graph.name} does not fit the engine: value {name!r} ({place.rows} rows, "
            f"{len(place.columns)} columns) needs {need} vectors of the "
            f"{place.buffer.name.lower()} buffer, the engine has {depth}. Raise engine.{field} in "
            f"the configuration to {need} or more, or use a narrower model or fewer tokens."
        )
