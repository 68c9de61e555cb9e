# SPDX-License-Identifier: Apache-2.0
"""The whole way, from a random transformer and 64 images to an ONNX file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen.data_files import Data
from hwgen.errors import DataError
from hwgen.frontend import load
from hwgen.golden.interpreter import Interpreter
from hwgen.ir.evaluate import logits
from hwgen.ir.graph import Graph, TokenSelector
from hwgen.prune.latency import LatencyTable
from hwgen.prune.plan import Request
from hwgen.prune.prune import macs_of_images, prune
from hwgen.prune.qat_training import IntegerTraining
from hwgen.prune.training import Training

TRAINING = Training(keep=(), epochs=3, batch=16, warm_up=20)


def test_a_model_is_pruned_and_written(
    tiny: Graph, data: Data, table: LatencyTable, tmp_path: Path
) -> None:
    output = tmp_path / "pruned.onnx"
    lines: list[str] = []
    request = Request(selectors=(2, 4), keep=(0.5, 0.25))
    result = prune(tiny, data, data, request, TRAINING, table, output, log=lines.append)
    graph = load(output)
    assert [op.name for op in graph.ops if isinstance(op, TokenSelector)] == [
        "selector2",
        "selector4",
    ]
    correct = logits(graph, data.images).argmax(1) == data.labels
    assert (correct == result.pruned.correct).all()
    assert result.dense_ms == pytest.approx(0.450)
    assert result.ms < result.dense_ms
    assert (result.macs == macs_of_images(graph, result.pruned.tokens)).all()
    assert result.dense_macs == macs_of_images(tiny, np.zeros((1, 0), int))[0]
    assert lines[-1].startswith("pruned: test top-1")
    # With --resume nothing is left to train: the file is the same.
    before = output.read_bytes()
    prune(tiny, data, data, request, TRAINING, table, output, resume=True)
    assert output.read_bytes() == before


def test_a_schedule_is_searched_for_and_kept(
    tiny: Graph, data: Data, table: LatencyTable, tmp_path: Path
) -> None:
    output = tmp_path / "pruned.onnx"
    lines: list[str] = []
    request = Request(target_ms=0.440, search_steps=4, allowed_drop=1.0)
    result = prune(tiny, data, data, request, TRAINING, table, output, log=lines.append)
    assert [stage.block for stage in result.stages] == [4]
    assert result.stages[0].keep < 1
    assert any("selector in front of block 4 keeps 0.900" in line for line in lines)
    assert not output.with_suffix(".candidate.pt").exists()
    again: list[str] = []
    prune(tiny, data, data, request, TRAINING, table, output, resume=True, log=again.append)
    assert not any("held-out" in line for line in again)


def test_training_goes_on_in_integers(
    tiny: Graph, data: Data, table: LatencyTable, tmp_path: Path
) -> None:
    output = tmp_path / "pruned.onnx"
    request = Request(selectors=(2,), keep=(0.5,))
    integers = IntegerTraining(epochs=1, lr=1e-4)
    result = prune(tiny, data, data, request, TRAINING, table, output, integers=integers)
    resumed = prune(
        tiny, data, data, request, TRAINING, table, output, integers=integers, resume=True
    )
    assert (result.pruned.correct == resumed.pruned.correct).all()
    # What was tested is what the accelerator computes.
    program = hwgen.build(output, calibration=data).program
    assert data.labels is not None
    beats = program.input.pack(data.images, program.engine.lanes)
    words = program.output.unpack(Interpreter(program).run_all(beats))
    classes = words.reshape(len(data), -1).argmax(1)
    assert (classes == data.labels).tolist() == result.pruned.correct.tolist()


def test_macs_follow_the_tokens(tiny: Graph) -> None:
    from hwgen.prune.insert import insert_selectors

    graph = insert_selectors(tiny, [2, 4])
    all_kept, some, none = macs_of_images(graph, np.array([[16, 16], [8, 4], [0, 0]]))
    assert all_kept > some > none > 0
    kept = insert_selectors(tiny, [2, 4], package="kept")
    assert macs_of_images(kept, np.array([[8, 4]]))[0] > some  # one more row in the last block


def test_data_that_does_not_fit_is_refused(
    tiny: Graph, data: Data, table: LatencyTable, tmp_path: Path
) -> None:
    request = Request(selectors=(2,), keep=(0.5,))

    def run(train: Data, test: Data) -> None:
        prune(tiny, train, test, request, TRAINING, table, tmp_path / "out.onnx")

    with pytest.raises(DataError, match="The training data has no array 'labels'"):
        run(Data(data.images), data)
    with pytest.raises(DataError, match="The test data has no array 'labels'"):
        run(data, Data(data.images))
    with pytest.raises(DataError, match=r"test images have shape \(4, 8, 1\).*takes \(8, 8, 1\)"):
        run(data, Data(data.images[:, :4], data.labels))
    assert data.labels is not None
    named = replace(tiny, classes=("a", "b", "c", "d"))
    with pytest.raises(DataError, match="training data holds the label 4; 'tiny' has 4 classes"):
        prune(
            named,
            Data(data.images, data.labels + 1),
            data,
            request,
            TRAINING,
            table,
            tmp_path / "out.onnx",
        )
    assert list(tmp_path.iterdir()) == []
