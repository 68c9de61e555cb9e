# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from hwgen.errors import ConfigError, ModelError
from hwgen.ir.graph import Graph, LayerNorm, TakeToken, TokenSelector
from hwgen.prune.insert import check_blocks, insert_selectors


def selectors(graph: Graph) -> list[TokenSelector]:
    return [op for op in graph.ops if isinstance(op, TokenSelector)]


def test_selectors_stand_in_front_of_their_blocks(tiny: Graph) -> None:
    graph = insert_selectors(tiny, [2, 4])
    first, second = selectors(graph)
    assert (first.name, second.name) == ("selector2", "selector4")
    norms = [op for op in graph.ops if isinstance(op, LayerNorm)]
    assert norms[2].input == first.output  # two norms a block
    assert norms[6].input == second.output
    # Nothing goes past a selector.
    for selector in (first, second):
        assert graph.consumers(selector.input) == (selector,)


def test_package_tokens_are_counted(tiny: Graph) -> None:
    merged = selectors(insert_selectors(tiny, [2, 3, 4]))
    kept = selectors(insert_selectors(tiny, [2, 3, 4], package="kept"))
    assert [op.packages for op in merged] == [0, 1, 1]
    assert [op.packages for op in kept] == [0, 1, 2]


def test_weights_depend_on_seed_and_block_alone(tiny: Graph) -> None:
    (alone,) = selectors(insert_selectors(tiny, [3]))
    _, beside = selectors(insert_selectors(tiny, [2, 3]))
    (other,) = selectors(insert_selectors(tiny, [3], seed=1))
    assert (alone.local_weight == beside.local_weight).all()
    assert (alone.local_weight != other.local_weight).any()


def test_sizes_follow_the_features(tiny: Graph) -> None:
    (op,) = selectors(insert_selectors(tiny, [2], features=6))
    assert op.local_weight.shape == (2, 6, 16)
    assert op.hidden1_weight.shape == (2, 6, 12)
    assert op.hidden2_weight.shape == (2, 3, 6)
    assert op.score_weight.shape == (2, 2, 3)
    assert op.importance_weight.shape == (2, 2)


@pytest.mark.parametrize("block", [0, 5, -1])
def test_blocks_that_are_not_there_are_refused(tiny: Graph, block: int) -> None:
    with pytest.raises(ConfigError, match=rf"in front of block {block}: .*blocks from 1 to 4"):
        insert_selectors(tiny, [block])


@pytest.mark.parametrize("blocks", [(3, 2), (2, 2)])
def test_blocks_out_of_order_are_refused(tiny: Graph, blocks: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="must ascend, each named once"):
        insert_selectors(tiny, blocks)


def test_no_blocks_are_refused(tiny: Graph) -> None:
    with pytest.raises(ConfigError, match="name at least one block"):
        insert_selectors(tiny, [])


def test_a_pruned_model_is_refused(tiny: Graph) -> None:
    with pytest.raises(ModelError, match="has token selectors already"):
        insert_selectors(insert_selectors(tiny, [2]), [3])


def test_a_model_without_class_token_is_refused(tiny: Graph) -> None:
    ops = tuple(replace(op, index=7) if isinstance(op, TakeToken) else op for op in tiny.ops)
    with pytest.raises(ModelError, match="classifies by token 7"):
        insert_selectors(replace(tiny, ops=ops), [2])


def test_a_model_of_one_block_cannot_be_pruned() -> None:
    with pytest.raises(ConfigError, match="'x' has 1 block; it cannot be pruned"):
        check_blocks("x", [2], 1, first=2)
    with pytest.raises(ConfigError, match="'x' has 2 blocks; give block 2"):
        check_blocks("x", [3], 2, first=2)
