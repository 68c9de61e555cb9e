# SPDX-License-Identifier: Apache-2.0
"""How many images of a batch each operation takes at once, and where its rows lie meanwhile.

A weight tile serves the rows of as many images as it takes to hide the arrival of the next tile;
more would only need larger buffers. Operations with groups of one size, one after the other, are a
stage: all of them run for a group of images, then again for the next one. Rows an image only
become fewer through a network, so groups only grow.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise

from hwgen.compile.selections import depths, regions, selector_operations
from hwgen.errors import ModelError
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
    inputs_of,
)


@dataclass(frozen=True)
class Batch:
    """The images of one run.

    Attributes:
        images: how many.
        tile_rows: rows that take as long as a weight tile takes to arrive.
    """

    images: int = 1
    tile_rows: int = 1

    @property
    def sizes(self) -> list[int]:
        """Images that can be a group, rising: every group of a batch is full."""
        return [size for size in range(1, self.images + 1) if self.images % size == 0]

    def wish(self, rows: int, max_rows: int, expected: float | None = None) -> int:
        """The fewest images that hide a weight tile with ``rows`` rows each, and fit; with
        ``expected`` rows, where there are fewer as a rule.
        """
        sizes = [size for size in self.sizes if size == 1 or size * rows <= max_rows]
        each = rows if expected is None else expected
        return next((size for size in sizes if size * each >= self.tile_rows), sizes[-1])


SINGLE = Batch()
"""One image a run."""


@dataclass(frozen=True)
class Root:
    """A value that is given vectors of its own.

    Attributes:
        made: index of the operation that makes it; 0 for the input.
        group: images at once in that operation.
        rows: kept of each image; the most, where ``depth`` is not 0.
        depth: token selections that these rows went through. After one, images lie one after the
            other with as many rows as each happens to have.
    """

    value: str
    made: int
    group: int
    rows: int
    depth: int = 0


@dataclass(frozen=True)
class Home:
    """Where a value's rows lie: ``rows`` of them, the first one ``offset`` rows into ``root``.

    ``first_row`` is that row's number in the value.
    """

    root: Root
    offset: int
    first_row: int
    rows: int

    def part(self, first_row: int, rows: int) -> "Home":
        """Some of its rows."""
        offset = self.offset + first_row - self.first_row
        return Home(self.root, offset, first_row, rows)

    @property
    def mergeable(self) -> bool:
        """Whether these rows of many images can lie one after the other.

        All rows can. So can the first ones where images come one at a time: each image is
        written that many rows further on, over the rest of the image before it.
        """
        if self.root.depth:
            return True
        return self.rows == self.root.rows or (self.root.group == 1 and self.offset == 0)


def gathers(home: Home) -> bool:
    """Whether one row of each image has to be copied to lie beside those of other images: it does
    where images lie one after the other with row counts that are not known.
    """
    return home.root.depth > 0 and home.root.group > 1


@dataclass(frozen=True)
class Arrangement:
    """``groups``: images at once, for each operation; ``homes``: of every value on chip."""

    groups: tuple[int, ...]
    homes: dict[str, Home]

    def stages(self) -> list[range]:
        """Operations, by index, that run for one group of images after the other."""
        borders = [i for i, (a, b) in enumerate(pairwise(self.groups), 1) if a != b]
        return [range(*ends) for ends in pairwise((0, *borders, len(self.groups)))]

    def reads(self, op: Op) -> list[Home]:
        """The rows that an operation's instructions read."""
        homes = self.homes
        match op:
            case PatchEmbedding():
                return [homes[op.input]]
            case Attention():
                target = homes[op.output]
                query = homes[op.query].part(target.first_row, target.rows)
                return [query, homes[op.key], homes[op.value]]
            case FusedLinear():
                target = homes[op.output]
                whole = [v for v in inputs_of(op) if v == op.second]
                rest = [v for v in inputs_of(op) if v != op.second]
                parts = [homes[v].part(target.first_row, target.rows) for v in rest]
                return [*parts, *(homes[v] for v in whole)]
            case SelectTokens():
                return [homes[op.input], homes[op.scores]]
            case TakeToken() if gathers(homes[op.input]):
                return [homes[op.input]]
            case _:
                return []


def wishes(
    graph: Graph,
    rows: dict[str, int],
    single: dict[str, int],
    batch: Batch,
    max_rows: int,
    expected: Mapping[str, float] | None = None,
) -> list[int]:
    """The group that each operation would choose for itself; ``batch.images`` where it has none.
    ``expected`` rows are those of an ordinary image, of values that have at most ``rows``.

    Attention follows its keys: with groups larger than theirs, those of all images would have to
    be kept.
    """

    def wish_of(name: str) -> int:
        return batch.wish(rows[name], max_rows, expected[name] if expected else None)

    def wish(op: Op) -> int:
        match op:
            case FusedLinear():
                name = op.output
                return batch.wish(1, max_rows) if name in single else wish_of(name)
            case Attention():
                return wish_of(op.key)
            case _:
                return batch.images

    return [wish(op) for op in graph.ops]


def arrange(
    graph: Graph, rows: dict[str, int], single: dict[str, int], limits: Sequence[int]
) -> Arrangement:
    """Groups of at most ``limits`` images for each operation, growing from stage to stage.

    Where tokens are selected they grow at selections and before the head alone. An operation
    whose operands cannot be merged on their way from an earlier stage stays in it.

    Raises:
        ModelError: a residual value is needed again after it was added to.
    """
    sizes = list(limits)
    while True:
        for region in regions(graph):
            smallest = min(sizes[region.start : region.stop])
            sizes[region.start : region.stop] = [smallest] * len(region)
        groups = tuple(accumulate(reversed(sizes), min))[::-1]
        found = Arrangement(groups, _homes(graph, rows, single, groups))
        stuck = next(_stuck(graph, found), None)
        if stuck is None:
            return found
        index, size = stuck
        sizes[index] = size


def _stuck(graph: Graph, arrangement: Arrangement) -> Iterator[tuple[int, int]]:
    """Operations that cannot be in their stage, with the group of the stage that they can be in."""
    for index, (op, group) in enumerate(zip(graph.ops, arrangement.groups, strict=True)):
        for home in arrangement.reads(op):
            if home.root.group < group and not home.mergeable:
                yield index, home.root.group


def _homes(
    graph: Graph, rows: dict[str, int], single: dict[str, int], groups: Sequence[int]
) -> dict[str, Home]:
    last_use = {name: i for i, op in enumerate(graph.ops) for name in inputs_of(op)}
    pixels = graph.input.name
    homes = {pixels: Home(Root(pixels, 0, groups[0], rows[pixels]), 0, 0, rows[pixels])}
    depth = depths(graph)
    single_image = selector_operations(graph)
    # The patch product goes straight into the residual stream.
    skipped = {op.input for op in graph.ops if isinstance(op, Tokens)}
    for index, op in enumerate(graph.ops):
        name = op.output
        if name in skipped:
            continue
        count, first = (1, single[name]) if name in single else (rows[name], 0)
        if isinstance(op, TakeToken) and not gathers(homes[op.input]):
            taken = homes[op.input].part(op.index, 1)
            homes[name] = replace(taken, first_row=0)
            continue
        if isinstance(op, SelectTokens):
            following = groups[min(index + 1, len(groups) - 1)]
            homes[name] = Home(Root(name, index, following, count, depth[name]), 0, first, count)
            continue
        if index in single_image:
            made = index - 1 if isinstance(op, TokenMean) else index
            homes[name] = Home(Root(name, made, 1, count, depth[name]), 0, first, count)
            continue
        if isinstance(op, Attention):
            query = homes[op.query]
            same_rows = (query.first_row, query.rows) == (first, count)
            if same_rows and query.root.group == groups[index] and last_use[op.query] == index:
                # A head's results take its queries' place. They need no room of their own, and
                # the next head's queries may follow them row by row: it is one matrix.
                homes[name] = query
                continue
        if isinstance(op, FusedLinear) and op.residual is not None and name != graph.output:
            there = homes[op.residual].part(first, count)
            # A sum takes the place of its residual operand, unless that would keep it unmerged.
            if groups[index] == 1 or there.mergeable:
                if last_use[op.residual] > index:
                    raise ModelError(
                        f"Value {op.residual!r} is used again after {name!r} was added to it. "
                        "hwgen keeps one residual stream; rewrite the model so that each sum is "
                        "used in its place."
                    )
                homes[name] = there
                continue
        selected = 0 if name in single else depth[name]
        homes[name] = Home(Root(name, index, groups[index], count, selected), 0, first, count)
    return homes


def order(graph: Graph, arrangement: Arrangement, images: int) -> Iterator[tuple[int, range]]:
    """Operations by index, each with the images it is for, in the order of their instructions.

    A stage runs group by group; the operations of a selector run image by image within a group.
    """
    alone = selector_operations(graph)
    for stage in arrangement.stages():
        size = arrangement.groups[stage.start]
        for first in range(0, images, size):
            group = range(first, first + size)
            for together, part in groupby(stage, key=lambda index: index not in alone):
                indices = list(part)
                runs = [group] if together else [range(i, i + 1) for i in group]
                yield from ((index, run) for run in runs for index in indices)
