# SPDX-License-Identifier: Apache-2.0
"""Each pass does what it says and keeps the meaning of the graph."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hwgen.errors import ModelError
from hwgen.ir.graph import Add, FusedLinear, Gelu, Graph, LayerNorm, Linear, Scale, TakeToken
from hwgen.passes import PASSES, canonicalise
from hwgen.passes.early_token import take_token_early
from hwgen.passes.fold_norm import fold_norm, is_plain
from hwgen.passes.fold_scale import fold_scale
from hwgen.passes.fuse_linear import fuse_linear

Same = Callable[[Graph, Graph], bool]


def kinds(graph: Graph) -> Counter[str]:
    return Counter(type(op).__name__ for op in graph.ops)


def insert_after(graph: Graph, position: int, *ops: object) -> Graph:
    return replace(graph, ops=(*graph.ops[:position], *ops, *graph.ops[position:]))


@pytest.mark.parametrize("one_pass", PASSES)
def test_every_pass_keeps_the_result(
    network: Graph, two_heads: Graph, same: Same, one_pass
) -> None:
    assert same(network, one_pass(network))
    assert same(two_heads, one_pass(two_heads))


def test_canonicalise(network: Graph, same: Same) -> None:
    result = canonicalise(network)
    assert same(network, result)
    assert kinds(result) == Counter(
        PatchEmbedding=1, Tokens=1, Attention=2, TakeToken=1, FusedLinear=13
    )


def test_canonicalise_two_heads(two_heads: Graph, same: Same) -> None:
    result = canonicalise(two_heads)
    assert same(two_heads, result)
    assert kinds(result)["TakeToken"] == 2
    assert kinds(result)["FusedLinear"] == 14


def test_a_canonical_graph_stays_as_it_is(network: Graph) -> None:
    once = canonicalise(network)
    assert canonicalise(once).ops == once.ops


def test_fold_scale_removes_every_scale(network: Graph, two_heads: Graph) -> None:
    assert kinds(network)["Scale"] == 4
    assert kinds(fold_scale(network))["Scale"] == 0
    assert kinds(fold_scale(two_heads))["Scale"] == 0, "through the Add into both heads"


def test_fold_scale_leaves_a_value_that_others_read(network: Graph, same: Same) -> None:
    factor = np.full(12, 3, np.float32)
    scale = Scale("s", "embedded", "scaled", factor)
    graph = insert_after(network, 2, scale, Add("a", "embedded", "scaled", "sum"))
    graph = replace(
        graph,
        ops=tuple(replace(o, input="sum") if o.name == "block0.norm1" else o for o in graph.ops),
    )
    folded = fold_scale(graph)
    assert kinds(folded)["Scale"] == 1
    assert same(graph, folded)


def test_the_token_is_taken_before_the_last_norm(network: Graph) -> None:
    *_, take, norm, head = take_token_early(network).ops
    assert isinstance(take, TakeToken)
    assert isinstance(norm, LayerNorm) and norm.input == take.output
    assert isinstance(head, Linear) and head.input == norm.output


def test_the_token_is_taken_before_a_head_on_all_tokens(network: Graph, same: Same) -> None:
    *body, take, head = network.ops
    late = (replace(head, input=take.input, output="all"), replace(take, input="all", output="y"))
    graph = replace(network, ops=(*body, *late), output="y")
    moved = take_token_early(graph)
    assert [type(op) for op in moved.ops[-3:]] == [TakeToken, LayerNorm, Linear]
    assert same(graph, moved)


def test_each_of_two_tokens_is_taken_early(two_heads: Graph) -> None:
    moved = take_token_early(two_heads)
    taken = {op.output: op.index for op in moved.ops if isinstance(op, TakeToken)}
    last = [op for op in moved.ops if isinstance(op, LayerNorm)][-2:]
    assert [taken[norm.input] for norm in last] == [0, 1]
    assert len({norm.name for norm in last}) == 2


def test_fold_norm_leaves_plain_norms(network: Graph, norms) -> None:
    assert not any(map(is_plain, norms(network)))
    graph = fold_norm(take_token_early(network))
    assert all(map(is_plain, norms(graph)))


def test_fold_norm_leaves_a_norm_that_others_read(network: Graph, same: Same, norms) -> None:
    graph = replace(
        network,
        ops=tuple(
            replace(op, left="block0.norm1.out") if op.name == "block0.add1" else op
            for op in network.ops
        ),
    )
    folded = fold_norm(graph)
    assert [is_plain(norm) for norm in norms(folded)] == [False, True, True, True, False]
    assert same(graph, folded)


def test_fuse_linear_takes_in_norm_gelu_and_residual(network: Graph) -> None:
    graph = fuse_linear(fold_norm(fold_scale(network)))
    fused = {op.name: op for op in graph.ops if isinstance(op, FusedLinear)}
    expand, reduce = fused["block1.mlp.expand"], fused["block1.mlp.reduce"]
    assert expand.epsilon == 1e-6 and expand.gelu and expand.residual is None
    assert reduce.epsilon is None and not reduce.gelu and reduce.residual == expand.input
    assert fused["block1.attention.query"].input == "block0.out"


def test_fuse_linear_adds_one_branch_to_the_other(network: Graph, same: Same) -> None:
    """Both sides of an Add are Linear: the first takes in the Add, the second stands before it."""
    *body, _take, head = network.ops
    assert isinstance(head, Linear)
    weight = np.random.default_rng(2).normal(size=head.weight.shape).astype(np.float32)
    other = replace(head, name="other", output="other.out", weight=weight)
    graph = replace(
        network,
        ops=(*body, _take, head, other, Add("a", head.output, "other.out", "y")),
        output="y",
    )
    fused = fuse_linear(graph)
    assert same(graph, fused)
    assert isinstance(fused.ops[-1], FusedLinear) and fused.ops[-1].residual == "other.out"


def test_what_cannot_be_fused_is_named(network: Graph) -> None:
    gelu = Gelu("odd_gelu", "embedded", "active")
    graph = insert_after(network, 2, gelu, Add("odd_add", "embedded", "active", "both"))
    graph = replace(
        graph,
        ops=tuple(replace(o, input="both") if o.name == "block0.norm1" else o for o in graph.ops),
    )
    with pytest.raises(ModelError) as error:
        canonicalise(graph)
    message = str(error.value)
    assert message.startswith("network: hwgen cannot fuse 2 operations:")
    assert "Gelu 'odd_gelu': a GELU must be the only reader of a Linear." in message
    assert "Add 'odd_add': one side of a residual Add must be a Linear" in message


def test_a_norm_in_the_residual_stream_is_named(network: Graph) -> None:
    graph = replace(
        network,
        ops=tuple(
            replace(op, left="block0.norm1.out") if op.name == "block0.add1" else op
            for op in network.ops
        ),
    )
    with pytest.raises(ModelError, match="LayerNorm 'block0.norm1': a LayerNorm may be read by"):
        canonicalise(graph)
