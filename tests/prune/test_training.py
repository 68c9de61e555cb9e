# SPDX-License-Identifier: Apache-2.0
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hwgen.data_files import Data
from hwgen.errors import ConfigError, DataError, ModelError
from hwgen.ir.graph import Graph
from hwgen.prune.evaluation import evaluate_network
from hwgen.prune.insert import insert_selectors
from hwgen.prune.network import GraphNetwork, Outcome
from hwgen.prune.training import Training, train

SETTINGS = Training(keep=(0.6, 0.3), epochs=2, batch=16, warm_up=3, mirror=True, shift=1)


def weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_a_resumed_run_ends_with_the_same_weights(
    tiny: Graph, selecting: Callable[..., Graph], data: Data, tmp_path: Path
) -> None:
    straight = GraphNetwork(selecting(2, 3))
    train(straight, tiny, data, SETTINGS, checkpoint=tmp_path / "a.pt")
    for stop in (2, 7):  # in the warm-up, and behind it
        broken = GraphNetwork(selecting(2, 3))
        path = tmp_path / f"b{stop}.pt"
        train(broken, tiny, data, SETTINGS, checkpoint=path, limit=stop)
        resumed = GraphNetwork(selecting(2, 3))
        train(resumed, tiny, data, SETTINGS, checkpoint=path, resume=True)
        for name, value in weights(straight).items():
            assert torch.equal(value, weights(resumed)[name]), name
    assert any(
        not torch.equal(value, weights(broken)[name]) for name, value in weights(straight).items()
    )


def test_training_leaves_the_stem_alone_and_reaches_the_ratios(
    tiny: Graph, selecting: Callable[..., Graph], data: Data, tmp_path: Path
) -> None:
    network = GraphNetwork(selecting(3))
    before = weights(network)
    lines: list[str] = []
    settings = replace(SETTINGS, keep=(0.4,), epochs=30, warm_up=30, test_steps=100)
    train(network, tiny, data, settings, checkpoint=tmp_path / "a.pt", test=data, log=lines.append)
    first = next(i for i, op in enumerate(network.graph.ops) if op.name == "selector3")
    for name, value in weights(network).items():
        index = int(name.split(".")[1])
        assert torch.equal(value, before[name]) == (index < first), name
    found = evaluate_network(network, data)
    assert found.tokens.mean() / 16 == pytest.approx(0.4, abs=0.1)
    assert len(set(found.tokens[:, 0].tolist())) > 1
    assert lines[0].startswith("step 50/150 ranking")
    assert any(line.startswith("step 100: test top-1") for line in lines)


class Plain(nn.Module):
    """A network of another kind: one linear layer, no selectors."""

    tokens = 16

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 4)

    def forward(self, images: Tensor) -> Outcome:
        return Outcome(self.linear(images.flatten(1) / 255.0))


def test_other_networks_can_be_trained(tiny: Graph, data: Data, tmp_path: Path) -> None:
    """Quantisation-aware training brings its own network."""
    network = Plain()
    settings = replace(SETTINGS, keep=(), epochs=40, lr=0.02, backbone_lr=1.0, shift=0)
    settings = replace(settings, mirror=False, weights=replace(settings.weights, distillation=0))
    before = evaluate_network(network, data)
    train(network, tiny, data, settings, checkpoint=tmp_path / "a.pt")
    assert evaluate_network(network, data).accuracy > before.accuracy + 0.3
    assert before.tokens.shape == (64, 0)
    with pytest.raises(ModelError, match=r"made with other selectors \(Plain\)"):
        train(
            GraphNetwork(insert_selectors(tiny, [2])),
            tiny,
            data,
            replace(settings, keep=(0.5,)),
            checkpoint=tmp_path / "a.pt",
            resume=True,
        )


def test_a_checkpoint_of_another_model_is_refused(
    tiny: Graph, selecting: Callable[..., Graph], data: Data, tmp_path: Path
) -> None:
    path = tmp_path / "a.pt"
    train(GraphNetwork(selecting(2, 3)), tiny, data, SETTINGS, checkpoint=path, limit=1)
    other = GraphNetwork(selecting(2, 3)).to_graph()
    head = replace(tiny.ops[-1], weight=tiny.ops[-1].weight + 1)  # type: ignore[union-attr]
    teacher = replace(tiny, ops=(*tiny.ops[:-1], head))
    with pytest.raises(ModelError, match="is a checkpoint of another model"):
        train(GraphNetwork(other), teacher, data, SETTINGS, checkpoint=path, resume=True)
    with pytest.raises(ModelError, match="made with other selectors .*selector2.*selector4"):
        train(GraphNetwork(selecting(2, 4)), tiny, data, SETTINGS, checkpoint=path, resume=True)


def test_missing_and_damaged_checkpoints_are_refused(
    tiny: Graph, selecting: Callable[..., Graph], data: Data, tmp_path: Path
) -> None:
    path = tmp_path / "a.pt"
    network = GraphNetwork(selecting(2, 3))
    with pytest.raises(DataError, match="no checkpoint .* to resume from"):
        train(network, tiny, data, SETTINGS, checkpoint=path, resume=True)
    for content in (b"", b"nonsense"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="is no checkpoint of `hwgen prune`, or is damaged"):
            train(network, tiny, data, SETTINGS, checkpoint=path, resume=True)
    train(network, tiny, data, SETTINGS, checkpoint=path, limit=1)
    good = torch.load(path, weights_only=True)
    for content in (
        {"step": 3},
        [good],
        good | {"step": "3"},
        good | {"step": -3},
        good | {"network": {}},
        good | {"optimiser": {}},
    ):
        torch.save(content, path)
        with pytest.raises(DataError, match="is no checkpoint of `hwgen prune`, or is damaged"):
            train(network, tiny, data, SETTINGS, checkpoint=path, resume=True)


def test_training_that_diverges_is_stopped(tiny: Graph, data: Data, tmp_path: Path) -> None:
    network = GraphNetwork(insert_selectors(tiny, [2]))
    with torch.no_grad():
        list(network.parameters())[-1].fill_(math.inf)
    settings = replace(SETTINGS, keep=(0.5,), warm_up=0)
    with pytest.raises(ConfigError, match="diverged at step 1: .*Choose smaller learning rates"):
        train(network, tiny, data, settings, checkpoint=tmp_path / "a.pt")
    assert not (tmp_path / "a.pt").exists()
