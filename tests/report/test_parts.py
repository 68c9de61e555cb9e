# SPDX-License-Identifier: Apache-2.0
import numpy as np

from hwgen.compile import compile_model
from hwgen.compile.groups import Batch
from hwgen.config import Quantisation
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, vit
from hwgen.program.engine import EngineConfig
from hwgen.program.program import Program
from hwgen.report.parts import PARTS, parts


def test_instructions_of_a_block_are_told_apart(program: Program) -> None:
    places = parts(program.instructions, program.labels)
    found = dict(zip(program.labels, places, strict=True))
    assert found == {
        "rows": ("embedding", "embedding"),
        "positions": ("embedding", "embedding"),
        "patches": ("embedding", "embedding"),
        "embed": ("embedding", "embedding"),
        "block 0 query": ("block 0", "query, key, value"),
        "block 0 key": ("block 0", "query, key, value"),
        "block 0 value": ("block 0", "query, key, value"),
        "block 0 attention": ("block 0", "attention"),
        "block 0 fc1": ("block 0", "MLP up"),
        "block 0 fc2": ("block 0", "MLP down"),
        "head": ("head", "head"),
        "end": ("control", "control"),
    }
    assert {part for _, part in found.values()} <= set(PARTS)


def test_images_of_a_batch_share_the_blocks() -> None:
    graph = canonicalise(vit("test", VitShape(16, 3, 4, 64, 2, 2, 7), seed=3))
    images = np.random.default_rng(5).integers(0, 256, (2, 16, 16, 3), np.uint8)
    one, *many = (
        compile_model(graph, images, Quantisation(), EngineConfig(), batch=batch)
        for batch in (Batch(), Batch(4, 17), Batch(4, 34), Batch(4, 68))
    )
    expected = dict(zip(one.labels, parts(one.instructions, one.labels), strict=True))
    for program in many:
        found = parts(program.instructions, program.labels)
        for label, place in zip(program.labels, found, strict=True):
            assert place == expected[label.partition(" of image")[0]], label
