# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

import pytest

from hwgen.compile.groups import Arrangement, Batch, arrange, wishes
from hwgen.compile.rows import row_counts, single_rows
from hwgen.ir.graph import Attention
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, vit

GRAPH = canonicalise(vit("test", VitShape(16, 3, 4, 64, 2, 3, 7), seed=0))
ROWS = row_counts(GRAPH, 16, 17)


def arranged(batch: Batch, single: bool = False) -> Arrangement:
    rows = single_rows(GRAPH) if single else {}
    return arrange(GRAPH, ROWS, rows, wishes(GRAPH, ROWS, rows, batch, 1024))


def group_of(arrangement: Arrangement) -> dict[str, int]:
    return {op.name: g for op, g in zip(GRAPH.ops, arrangement.groups, strict=True)}


@pytest.mark.parametrize(
    ("images", "rows", "group"),
    [(1, 5, 1), (2, 50, 2), (2, 100, 1), (3, 50, 3), (3, 99, 3), (4, 50, 2), (4, 49, 4), (4, 1, 4)],
)
def test_groups_hide_a_tile_with_as_few_images_as_possible(
    images: int, rows: int, group: int
) -> None:
    assert Batch(images, 100).wish(rows, 1024) == group


def test_groups_fit_the_accumulator() -> None:
    assert Batch(4, 1000).wish(300, 1024) == 2
    assert Batch(4, 1000).wish(2000, 1024) == 1


def test_long_matrices_run_image_by_image_and_the_head_for_all_at_once() -> None:
    found = arranged(Batch(4, 17))
    assert set(found.groups[:-2]) == {1}
    assert found.groups[-1] == 4
    assert [len(stage) for stage in found.stages()] == [
        found.groups.count(1),
        found.groups.count(4),
    ]


def test_a_last_block_of_single_rows_merges_after_its_attention() -> None:
    groups = group_of(arranged(Batch(4, 17), single=True))
    assert groups["block2.attention.query"] == groups["block2.attention"] == 1
    assert groups["block2.attention.project"] == groups["block2.mlp.expand"] == 4


def test_rows_that_do_not_lie_together_cross_where_they_do() -> None:
    # Pairs: their class tokens are 17 rows apart until the projection writes them side by side.
    groups = group_of(arranged(Batch(4, 34), single=True))
    assert groups["block2.attention.project"] == 2
    assert groups["block2.mlp.expand"] == groups["head"] == 4
    assert group_of(arranged(Batch(4, 34)))["head"] == 2


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("images", [1, 2, 3, 4])
@pytest.mark.parametrize("tile_rows", [1, 17, 30, 60, 999])
def test_groups_only_grow_and_attention_stays_with_its_keys(
    images: int, tile_rows: int, single: bool
) -> None:
    found = arranged(Batch(images, tile_rows), single)
    assert all(a <= b for a, b in pairwise(found.groups))
    assert all(images % group == 0 for group in found.groups)
    by_value = {op.output: g for op, g in zip(GRAPH.ops, found.groups, strict=True)}
    for op in GRAPH.ops:
        if isinstance(op, Attention):
            assert by_value[op.output] == by_value[op.key]
