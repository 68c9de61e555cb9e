# SPDX-License-Identifier: Apache-2.0
"""A pruned network goes on training in integers, is written, and is built as it was trained."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hwgen.config import Config, Quantisation
from hwgen.data_files import Data
from hwgen.design import build
from hwgen.golden.interpreter import Interpreter
from hwgen.golden.selections import selections, stages
from hwgen.ir.graph import Graph
from hwgen.prune.evaluation import evaluate_network
from hwgen.prune.qat_training import IntegerTraining, train_in_integers
from hwgen.prune.training import Training

SETTINGS = Training(keep=(0.6, 0.3), batch=16)
HEATVIT = Quantisation(power_of_two=True, gelu_delta=0.5, softmax_delta=0.5, calibration_images=32)


@pytest.mark.parametrize("settings", [Quantisation(), HEATVIT], ids=["default", "heatvit"])
def test_the_file_builds_to_what_was_trained(
    tiny: Graph,
    selecting: Callable[..., Graph],
    data: Data,
    tmp_path: Path,
    settings: Quantisation,
) -> None:
    integers = IntegerTraining(epochs=2, lr=2e-3, settings=settings)
    network = train_in_integers(
        selecting(2, 3), tiny, data, SETTINGS, integers, checkpoint=tmp_path / "a"
    )
    network.write_onnx(tmp_path / "tiny.onnx")
    # Calibration would give other scales: its images are black.
    black = Data(0 * data.images[:4])
    design = build(tmp_path / "tiny.onnx", config=Config(), calibration=black)
    assert design.config.quantisation.power_of_two == settings.power_of_two
    program = design.program
    beats = program.input.pack(data.images, program.engine.lanes)
    output = program.output.unpack(Interpreter(program).run(beats))
    golden = output.reshape(-1, program.output.columns)
    found = torch.round(network(torch.from_numpy(data.images)).logits / network.output_scale)
    assert (found.detach().numpy() == golden).all()
    # So are the tokens that each image keeps.
    tokens = evaluate_network(network, data).tokens
    kept = [
        [stage.patches.sum() for stage in stages(program, run)]
        for run in selections(program, beats)
    ]
    assert (tokens == kept).all()


def test_training_lowers_the_loss_and_can_be_resumed(
    tiny: Graph, selecting: Callable[..., Graph], data: Data, tmp_path: Path
) -> None:
    graph, integers = selecting(2, 3), IntegerTraining(epochs=20, lr=0.01, settings=HEATVIT)
    still = replace(integers, lr=0.0)
    straight = train_in_integers(graph, tiny, data, SETTINGS, integers, checkpoint=tmp_path / "a")
    untrained = train_in_integers(
        graph, tiny, data, SETTINGS, still, checkpoint=tmp_path / "c", limit=1
    )
    before, after = (evaluate_network(each, data) for each in (untrained, straight))
    assert after.accuracy > before.accuracy + 0.3
    path = tmp_path / "b"
    train_in_integers(graph, tiny, data, SETTINGS, integers, checkpoint=path, limit=4)
    resumed = train_in_integers(graph, tiny, data, SETTINGS, integers, checkpoint=path, resume=True)
    states = straight.state_dict(), resumed.state_dict()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
