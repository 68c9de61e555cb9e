# SPDX-License-Identifier: Apache-2.0
"""Calls of hwgen.TokenSelector that are damaged, or stand in a model that cannot have them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from hwgen.errors import ModelError
from hwgen.frontend import load, write_onnx
from hwgen.ir.graph import TokenSelector
from hwgen.keep_ratios import with_keep_ratios
from hwgen.presets import VitShape, vit

GRAPH = with_keep_ratios(vit("small", VitShape(16, 3, 4, 12, 3, 4, 5), seed=1), {2: 0.5, 4: 0.25})

Change = Callable[[onnx.ModelProto, onnx.NodeProto], None]


def changed(folder: Path, change: Change) -> Path:
    """The file of GRAPH after ``change`` of the model and its first selector."""
    path = folder / "small.onnx"
    write_onnx(GRAPH, path)
    model = onnx.load(path)
    change(model, next(node for node in model.graph.node if node.op_type == "TokenSelector"))
    onnx.save(model, path)
    return path


def refusal(folder: Path, change: Change) -> str:
    path = changed(folder, change)
    with pytest.raises(ModelError) as error:
        load(path)
    return str(error.value)


def attribute(name: str, value: object) -> Change:
    """Sets an attribute; takes it away where the value is None."""

    def change(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
        (old,) = (a for a in node.attribute if a.name == name)
        node.attribute.remove(old)
        if value is not None:
            node.attribute.append(helper.make_attribute(name, value))

    return change


def weight(name: str, array: np.ndarray) -> Change:
    def change(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
        (old,) = (i for i in model.graph.initializer if i.name == f"selector2.{name}")
        old.CopyFrom(numpy_helper.from_array(array.astype(np.float32), old.name))

    return change


ATTRIBUTES = (
    "heads", "epsilon", "activation", "threshold", "prefix", "packages", "package", "limit",
)  # fmt: skip


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_missing_attribute(tmp_path: Path, name: str) -> None:
    message = refusal(tmp_path, attribute(name, None))
    assert message == (
        "small: hwgen cannot take 1 node of the model:\n"
        f"  TokenSelector 'selector2': its attribute '{name}' is missing; "
        "hwgen.frontend.write_onnx writes selectors as hwgen reads them."
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (attribute("heads", "3"), "its attribute 'heads' is STRING, not INT; hwgen.frontend."),
        (attribute("threshold", 1), "its attribute 'threshold' is INT, not FLOAT"),
        (attribute("package", "lost"), "its package tokens are 'lost'; they can be 'merged' or"),
        (attribute("activation", "tanh"), "its activation is 'tanh'; it can be 'gelu' or 'relu'"),
        (attribute("threshold", 2.0), "its threshold is 2; scores are between 0 and 1"),
        (attribute("heads", 4), "its local_weight has shape (3, 16, 4), not (4, 16, 3)"),
        (attribute("heads", 5), "its 5 heads do not divide 12 columns"),
        (attribute("prefix", 18), "18 class and 0 package tokens do not fit its 17 rows"),
        (weight("beta", np.zeros(6)), "its beta has shape (6,), not (12,)"),
        (
            weight("hidden2_weight", np.zeros((3, 8, 12))),
            "its hidden2_weight has shape (3, 8, 12), not (3, 8, 16)",
        ),
    ],
)  # fmt: skip
def test_what_a_selector_cannot_be(tmp_path: Path, change: Change, message: str) -> None:
    found = refusal(tmp_path, change)
    assert found.startswith("small: hwgen cannot take 1 node of the model:\n  TokenSelector 'sel")
    assert message in found


def test_an_input_that_is_missing(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
        del node.input[-1]

    found = refusal(tmp_path, change)
    assert "it has 14 inputs; a token selector has 15: the tokens, gamma, beta, local_w" in found


def test_a_weight_that_is_computed(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
        node.input[2] = node.input[0]

    assert "its operand 2 is no constant" in refusal(tmp_path, change)


@pytest.mark.parametrize(
    ("size", "found"), [({"dim_value": 3}, "3"), ({"dim_param": "n"}, r"dynamic \('n'\)")]
)
def test_another_batch(tmp_path: Path, size: dict[str, object], found: str) -> None:
    def change(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
        dimension = model.graph.input[0].type.tensor_type.shape.dim[0]
        dimension.CopyFrom(onnx.TensorShapeProto.Dimension(**size))

    path = changed(tmp_path, change)
    with pytest.raises(
        ModelError,
        match=r"small.onnx: the model has token selectors, so that images differ in their number "
        rf"of tokens, but the batch of input 'images' is {found}. Export it with a batch of 1.",
    ):
        load(path)


def test_a_call_without_its_function(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
        del model.functions[:]

    message = refusal(tmp_path, change)
    assert "small.onnx" in message and "TokenSelector" in message


def test_a_function_that_computes_something_else(tmp_path: Path) -> None:
    """Its name is not believed: onnxruntime runs its body, and the check compares."""

    def change(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
        (package,) = (n for n in model.functions[0].node if n.output[0] == "package_row")
        package.op_type = "Add"

    message = refusal(tmp_path, change)
    assert "the imported graph differs from onnxruntime by" in message
    assert "was the body of its function hwgen.TokenSelector changed?" in message


def test_a_selector_inside_a_function_of_the_model(tmp_path: Path) -> None:
    """A function of an exporter is taken apart; the selector that it calls stays whole."""

    def change(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
        inner = onnx.NodeProto()
        inner.CopyFrom(node)
        opsets = list(model.opset_import)
        function = helper.make_function(
            "module", "pruned", list(node.input), list(node.output), [inner], opsets
        )
        model.functions.append(function)
        model.opset_import.append(helper.make_opsetid("module", 1))
        node.domain, node.op_type = "module", "pruned"
        del node.attribute[:]

    graph = load(changed(tmp_path, change))
    found = [op for op in graph.ops if isinstance(op, TokenSelector)]
    assert len(found) == 2
    assert [op.limit for op in found] == [8, 4]
