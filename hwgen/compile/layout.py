# SPDX-License-Identifier: Apache-2.0
"""Which rows are computed, for how many images at once, and where they lie."""

from collections.abc import Mapping
from dataclasses import dataclass

from hwgen.compile.groups import Arrangement, Batch, arrange, wishes
from hwgen.compile.placement import NoRoom, Placement, place
from hwgen.compile.rows import single_rows
from hwgen.ir.evaluate import selects_tokens
from hwgen.ir.graph import Attention, FusedLinear, Graph, Op, inputs_of
from hwgen.program.engine import EngineConfig


@dataclass(frozen=True, eq=False)
class Layout:
    """``places``: of every value on chip."""

    arrangement: Arrangement
    places: dict[str, Placement]


def choose_layout(
    graph: Graph,
    rows: dict[str, int],
    class_token_only: bool,
    batch: Batch,
    engine: EngineConfig,
    expected: Mapping[str, float] | None = None,
) -> Layout:
    """The layout that keeps the array busy for the shortest time, with ``expected`` rows where
    images have different ones.

    With ``class_token_only`` rows that nothing reads are left out, but only where that saves time:
    single rows that do not lie together cost a weight tile for each image.

    Raises:
        FitError: even one image at a time does not fit.
    """
    # Class tokens of many images that selections have left anywhere are gathered for the head.
    scattered = batch.images > 1 and selects_tokens(graph)
    single = single_rows(graph) if class_token_only and not scattered else {}
    queries = {op.query for op in graph.ops if isinstance(op, Attention)}
    fewer = {name: row for name, row in single.items() if name not in queries}
    choices = (single, fewer, {}) if single else ({},)
    layouts = [_layout(graph, rows, choice, batch, engine, expected) for choice in choices]
    return min(layouts, key=lambda layout: _cycles(graph, layout, batch, engine.lanes))


def _layout(
    graph: Graph,
    rows: dict[str, int],
    single: dict[str, int],
    batch: Batch,
    engine: EngineConfig,
    expected: Mapping[str, float] | None,
) -> Layout:
    """Groups as large as is useful, or as the buffers take, and a place for every value."""
    limits = wishes(graph, rows, single, batch, engine.max_rows, expected)
    while True:
        arrangement = arrange(graph, rows, single, limits)
        try:
            return Layout(arrangement, place(graph, arrangement, batch.images, engine))
        except NoRoom as error:
            # Its own group is too large, or a later stage wants too much of it kept.
            groups = arrangement.groups
            merged = next((i for i in range(error.index, len(groups)) if groups[i] > 1), None)
            if merged is None:
                raise
            limits[merged] = max(size for size in batch.sizes if size < groups[merged])


def _cycles(graph: Graph, layout: Layout, batch: Batch, lanes: int) -> int:
    """Cycles that the passes of one run take, each at least as long as its tile takes to come."""

    def cycles(op: Op, group: int) -> int:
        places = layout.places
        match op:
            case FusedLinear():
                source, target = places[op.input], places[op.output]
                operands = [places[name] for name in (*inputs_of(op), op.output)]
                together = group if all(p.merges(target.rows) for p in operands) else 1
                passes = batch.images // together * source.slices * target.slices
                return passes * max(together * target.rows, batch.tile_rows)
            case Attention():
                target = places[op.output]
                passes = 2 * batch.images * target.slices * -(-places[op.key].rows // lanes)
                return passes * max(target.rows, lanes)
            case _:
                return 0

    return sum(map(cycles, graph.ops, layout.arrangement.groups))
