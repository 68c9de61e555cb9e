# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np

from hwgen.compile import compile_model
from hwgen.config import Quantisation
from hwgen.golden.interpreter import Interpreter
from hwgen.ir.evaluate import logits
from hwgen.ir.graph import FusedLinear, Graph, TakeToken
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, vit
from hwgen.program.engine import EngineConfig
from hwgen.quant.streams import wide_streams

GRAPH = canonicalise(vit("test", VitShape(16, 3, 4, 64, 2, 2, 7), seed=1))


def two_heads() -> Graph:
    """A second head on another token, added to the first, as a distilled DeiT has it."""
    head = GRAPH.ops[-1]
    take = GRAPH.ops[-2]
    assert isinstance(head, FusedLinear) and isinstance(take, TakeToken)
    other = TakeToken("take2", take.input, "second", 3)
    added = replace(
        head, name="head2", input="second", output="sum", residual=head.output,
        weight=head.weight[::-1].copy(),
    )  # fmt: skip
    return replace(GRAPH, ops=(*GRAPH.ops, other, added), output="sum")


def test_one_stream_from_tokens_to_class_token_and_one_for_the_output() -> None:
    streams = wide_streams(GRAPH)
    assert set(streams.values()) == {"embedded", GRAPH.output}
    assert streams[GRAPH.ops[-1].input] == "embedded"


def test_heads_that_are_added_share_a_stream() -> None:
    streams = wide_streams(two_heads())
    assert streams["sum"] == streams[GRAPH.output] == GRAPH.output


def test_two_heads_compile_and_follow_the_float_network() -> None:
    graph = two_heads()
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    for class_token_only in (False, True):
        program = compile_model(
            graph, images, Quantisation(), EngineConfig(), class_token_only=class_token_only
        )
        found = program.output.unpack(Interpreter(program).run(program.input.pack(images, 64)))
        real = logits(graph, images)
        error = found[:, 0] * program.output.scale - real
        assert np.linalg.norm(error) / np.linalg.norm(real) < 0.05
