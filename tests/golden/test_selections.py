# SPDX-License-Identifier: Apache-2.0
"""What token selections did to each image, from the instructions alone."""

from collections.abc import Callable

import numpy as np
import pytest

from hwgen.compile import compile_model
from hwgen.compile.groups import Batch
from hwgen.config import Quantisation
from hwgen.golden.interpreter import Interpreter
from hwgen.golden.selections import (
    Selections,
    of_selector,
    rows_written,
    selections,
    stages,
)
from hwgen.ir import selections as float_selections
from hwgen.ir.graph import Graph
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, vit
from hwgen.program.engine import EngineConfig
from hwgen.program.program import Program
from hwgen.prune.insert import insert_selectors

IMAGES = np.random.default_rng(5).integers(0, 256, (4, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return insert_selectors(vit("test", VitShape(16, 3, 4, 64, 2, 3, 7), seed=3), [2, 3])


@pytest.fixture(scope="module")
def compiled(graph: Graph) -> Callable[[int], Program]:
    def build(batch: int) -> Program:
        return compile_model(
            canonicalise(graph), IMAGES, Quantisation(), EngineConfig(), batch=Batch(batch, 40)
        )

    return build


def test_rows_written_and_rows_kept(compiled: Callable[[int], Program]) -> None:
    program = compiled(1)
    beats = program.input.pack(IMAGES, 64)
    runs = selections(program, beats)
    assert len(runs) == len(IMAGES)
    for run in runs:
        assert [program.labels[s.index] for s in run] == ["selector2", "selector3"]
        first, second = run
        assert rows_written(run) == (first.written, second.written)
        # 17 rows in; each selector writes what stays and one package token.
        assert len(first.kept) == 17
        assert first.written == first.kept.sum() + 1
        assert len(second.kept) == first.written
        # The class token stays, the package token of the selector before does not.
        assert second.kept[0]
        assert not second.kept[-1]


def test_collecting_changes_nothing(compiled: Callable[[int], Program]) -> None:
    program = compiled(2)
    beats = program.input.pack(IMAGES, 64)
    found, interpreter = Selections(program), Interpreter(program)
    np.testing.assert_array_equal(interpreter.run(beats, selection=found), interpreter.run(beats))
    assert [rows_written(run) for run in found.runs] == [
        rows_written(run) for run in selections(program, beats)
    ]


def test_patches_are_followed_through_all_selectors(
    graph: Graph, compiled: Callable[[int], Program]
) -> None:
    alone, batch = compiled(1), compiled(4)
    single = [stages(alone, run) for run in selections(alone, alone.input.pack(IMAGES, 64))]
    (run,) = selections(batch, batch.input.pack(IMAGES, 64))
    together = stages(batch, run)
    assert len(together) == 2 * len(IMAGES)
    expected = float_selections.selections(graph, IMAGES)
    for number, (own, theirs) in enumerate(zip(single, expected, strict=True)):
        for stage, reference in zip(own, theirs, strict=True):
            assert stage.selector == reference.selector
            assert stage.read == len(reference.kept)
            # Quantisation may turn a token around, not many.
            assert (stage.patches != reference.patches).sum() <= 2
            assert stage.written == stage.patches.sum() + 2
            (same,) = (s for s in together if (s.image, s.selector) == (number, stage.selector))
            np.testing.assert_array_equal(same.patches, stage.patches)
            assert (same.read, same.written) == (stage.read, stage.written)
        assert not (own[1].patches & ~own[0].patches).any()


def test_a_program_without_selectors() -> None:
    plain = compile_model(
        canonicalise(vit("test", VitShape(16, 3, 4, 64, 2, 2, 7), seed=3)),
        IMAGES,
        Quantisation(),
        EngineConfig(),
    )
    assert selections(plain, plain.input.pack(IMAGES, 64)) == []


def test_labels_of_selectors() -> None:
    assert of_selector("selector1.local of images 0 to 3", "selector1")
    assert of_selector("selector1 of image 2", "selector1")
    assert not of_selector("selector10.local", "selector1")
