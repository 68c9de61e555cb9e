# SPDX-License-Identifier: Apache-2.0
"""A program that also gives its selectors' scores: what patches stay can be told from them."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen.compile import compile_model
from hwgen.compile.groups import Batch
from hwgen.compile.trace_selections import with_scores
from hwgen.config import Quantisation
from hwgen.driver.kept_patches import Trace, kept_patches
from hwgen.emit.rtl import FOLDER, rtl_project
from hwgen.emit.selection_files import selection_files
from hwgen.errors import FitError, ProgramError
from hwgen.golden.interpreter import Interpreter
from hwgen.golden.selections import selections, stages
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, vit
from hwgen.program.engine import EngineConfig
from hwgen.program.instructions import TokenSelect
from hwgen.program.program import OutputLayout, Program
from hwgen.program.status import ErrorCode
from hwgen.prune.insert import insert_selectors
from hwgen.sim.rtl import run_rtl
from hwgen.sim.rtl_build import Options, compile_rtl

DATA = Path(hwgen.__file__).parent / "data"
FASHION = np.load(DATA / "fashion_test.npz")["images"][:6]
SMALL = np.random.default_rng(5).integers(0, 256, (6, 16, 16, 3), np.uint8)


@cache
def fashion(batch: int) -> Program:
    """The shipped model with its two selectors."""
    calibration = DATA / "fashion_calibration.npz"
    return hwgen.build(
        DATA / "fashion_vit_pruned.onnx", calibration=calibration, batch=batch
    ).program


@cache
def small(batch: int) -> Program:
    """With three selectors whose package tokens stay."""
    graph = vit("test", VitShape(16, 3, 4, 64, 2, 5, 7), seed=3)
    graph = insert_selectors(graph, [2, 3, 5], package="kept", threshold=0.74)
    return compile_model(
        canonicalise(graph), SMALL, Quantisation(), EngineConfig(), batch=Batch(batch, 40)
    )


CASES = [(fashion, FASHION, 1), (fashion, FASHION, 4), (small, SMALL, 1), (small, SMALL, 4)]


def by_golden(program: Program, images: np.ndarray) -> dict[str, np.ndarray]:
    """What ``kept_patches`` finds, from the interpreter's own account of the plain program."""
    found: dict[str, np.ndarray] = {}
    beats = program.input.pack(images, program.engine.lanes)
    for number, run in enumerate(selections(program, beats)):
        for stage in stages(program, run):
            image = number * program.input.batch + stage.image
            if image < len(images):
                empty = np.zeros((len(images), program.input.rows), bool)
                found.setdefault(stage.selector, empty)[image] = stage.patches
    return found


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    for name, patches in expected.items():
        np.testing.assert_array_equal(found[name], patches)
        assert found[name].dtype == np.bool_


@pytest.mark.parametrize(("compiled", "images", "batch"), CASES)
def test_scores_tell_the_patches_that_stay(
    compiled: Callable[[int], Program], images: np.ndarray, batch: int
) -> None:
    program = compiled(batch)
    variant, trace = with_scores(program)
    beats = program.input.pack(images, program.engine.lanes)
    found = Interpreter(variant).run(beats)
    # The last run has images beyond the last one.
    expected = by_golden(program, images)
    assert_same(kept_patches(trace, found, len(images)), expected)
    assert trace.selectors == tuple(expected)
    assert {tuple(kept.sum(axis=1)) for kept in expected.values()} != {
        (program.input.rows,) * len(images)
    }
    # What nobody writes does not matter.
    dirty = np.where(found == 0, np.int16(-0x5A5B), found)
    for number, run in enumerate(selections(program, beats)):
        rows = [len(s.kept) for s in run if program.instructions[s.index].heads]
        for one, written in zip(trace.selections, rows, strict=True):
            dirty[number, one.first : one.first + written] = found[
                number, one.first : one.first + written
            ]
    assert_same(kept_patches(trace, dirty, len(images)), expected)


@pytest.mark.parametrize(("compiled", "images", "batch"), CASES)
def test_all_else_stays(compiled: Callable[[int], Program], images: np.ndarray, batch: int) -> None:
    program = compiled(batch)
    variant, trace = with_scores(program)
    lanes = program.engine.lanes
    added = [i for i, label in enumerate(variant.labels) if ".trace" in label]
    assert len(added) == len(trace.selections) == len(trace.selectors) * batch
    assert all(isinstance(variant.instructions[i + 1], TokenSelect) for i in added)
    for name in ("instructions", "labels"):
        left = [x for i, x in enumerate(getattr(variant, name)) if i not in added]
        assert tuple(left) == getattr(program, name)
    np.testing.assert_array_equal(variant.weights[: len(program.weights)], program.weights)
    assert len(variant.weights) == len(program.weights) + lanes + 8
    assert variant.input == program.input and variant.classes == program.classes
    # The logits, by the layout in the trace.
    beats = program.input.pack(images, lanes)
    logits = Interpreter(variant).run(beats)[:, : trace.logits.vectors(lanes)]
    plain = Interpreter(program).run(beats)
    np.testing.assert_array_equal(trace.logits.unpack(logits), program.output.unpack(plain))
    # Places of scores follow each other up to the end.
    ends = [one.first + one.rows for one in trace.selections]
    firsts = [one.first for one in trace.selections]
    assert [trace.logits.vectors(lanes), *ends] == [*firsts, variant.output.vectors(lanes)]


def test_in_rtl() -> None:
    files = {name.removeprefix(f"{FOLDER}/"): d for name, d in rtl_project(EngineConfig()).items()}
    simulator = compile_rtl(files, Options())
    for batch, images in ((1, FASHION[:2]), (4, FASHION[:4])):
        program = fashion(batch)
        variant, trace = with_scores(program)
        beats = program.input.pack(images, program.engine.lanes)
        result = run_rtl(simulator, variant, beats)
        assert set(result.errors) == {ErrorCode.NONE}
        np.testing.assert_array_equal(result.outputs, Interpreter(variant).run(beats))
        assert_same(kept_patches(trace, result.outputs, len(images)), by_golden(program, images))


def test_a_program_without_selectors(program: Program) -> None:
    with pytest.raises(ProgramError) as refused:
        with_scores(program)
    assert str(refused.value) == (
        "small has no token selector, so there is nothing to trace. Give a model that 'hwgen "
        "prune' made."
    )


def test_more_scores_than_addresses() -> None:
    large = replace(small(1), output=OutputLayout(65500, 7, 1.0))
    with pytest.raises(FitError) as refused:
        with_scores(large)
    assert str(refused.value) == (
        "The scores of test take 65,554 vectors of output, and instructions address 65,536. Build "
        "the model with a smaller batch."
    )


def test_files() -> None:
    program = small(4)
    files = selection_files(program)
    assert files == selection_files(program)
    assert list(files) == ["model.json", "program.txt", "program.bin", "weights.bin", "trace.json"]
    variant, trace = with_scores(program)
    assert Trace.from_json(json.loads(files["trace.json"])) == trace
    model = json.loads(files["model.json"])
    vectors = variant.output.vectors(64)
    assert model["output"] == {"rows": vectors, "columns": 64, "scale": 1.0}
    assert model["name"] == "test with scores"


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.pop("patches"),
        lambda fields: fields.update(version=2),
        lambda fields: fields.update(format="hwgen-self-test"),
        lambda fields: fields["logits"].pop("rows"),
        lambda fields: fields["selections"][0].update(more=1),
        lambda fields: fields.update(selections=None),
    ],
)
def test_other_json_is_refused(change: Callable[[dict], object]) -> None:
    fields = json.loads(json.dumps(with_scores(small(1))[1].to_json()))
    change(fields)
    with pytest.raises((LookupError, TypeError, ValueError)):
        Trace.from_json(fields)
