# SPDX-License-Identifier: Apache-2.0
"""The shipped pruned model keeps what its README says, on the shipped test images."""

from importlib.resources import as_file, files

import numpy as np

from hwgen.data_files import load_data
from hwgen.frontend import load
from hwgen.prune.evaluation import evaluate_network
from hwgen.prune.network import GraphNetwork
from hwgen.prune.prune import macs_of_images
from hwgen.prune.selector import MultiHeadSelector


def test_the_pruned_model_is_accurate_adaptive_and_smaller() -> None:
    with as_file(files("hwgen") / "data") as shipped:
        graph = load(shipped / "fashion_vit_pruned.onnx")
        dense = load(shipped / "fashion_vit.onnx")
        data = load_data(shipped / "fashion_test.npz").first(300)
    assert (graph.input, graph.classes) == (dense.input, dense.classes)
    network = GraphNetwork(graph)
    largest = [0.0]

    def see(module: MultiHeadSelector, inputs: object, output: object) -> None:
        largest.append(float(output.logits.abs().max()))  # type: ignore[attr-defined]

    for selector in network.selectors:
        selector.register_forward_hook(see)
    found = evaluate_network(network, data)
    assert found.accuracy > 0.905
    assert all(len(set(stage)) > 20 for stage in found.tokens.T.tolist())
    before = macs_of_images(dense, np.zeros((1, 0), int))[0]
    assert macs_of_images(graph, found.tokens).mean() < 0.6 * before
    assert max(largest) < 7.94  # what int8 scores hold
