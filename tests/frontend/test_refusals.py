# SPDX-License-Identifier: Apache-2.0
"""What hwgen cannot take is refused with the node, the reason and a way out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from hwgen.errors import ModelError
from hwgen.frontend import load
from hwgen.frontend.refusal import Refusal, model_error


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        ({"gelu": "HardSwish"}, r"HardSwish 'n\d+': hwgen has no such activation; use the exact"),
        ({"gelu": "Relu"}, r"Relu 'n\d+': .*use the exact GELU"),
        ({"gelu": "Softsign"}, r"Softsign 'n\d+': hwgen has no such operation; a model is made of"),
        ({"take": "ReduceMean"}, r"ReduceMean 'n\d+': hwgen has no pooling; classify by the class"),
        ({"softmax": True}, r"Softmax 'n\d+': a softmax outside attention; export the logits"),
        (
            {"image": (9, 12)},
            r"Conv 'n0': patches of 4x4 do not tile the image of 9x12; height and width must be "
            r"multiples of 4",
        ),
    ],
    ids=str,
)
def test_message(vit_file: Callable[..., Path], spelling: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message) as error:
        load(vit_file(**spelling))
    assert "vit: hwgen cannot take 1 node of the model:" in str(error.value)


def test_the_tanh_gelu_is_refused(
    vit_model: Callable[..., onnx.ModelProto], tmp_path: Path
) -> None:
    model = vit_model(gelu="Gelu", opset=20)
    (node,) = (node for node in model.graph.node if node.op_type == "Gelu")
    node.attribute.append(helper.make_attribute("approximate", "tanh"))
    with pytest.raises(ModelError, match="the tanh approximation of GELU; use the exact GELU"):
        load(saved(model, tmp_path))


def test_a_mask_is_refused(vit_model: Callable[..., onnx.ModelProto], tmp_path: Path) -> None:
    model = vit_model()
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    mask = numpy_helper.from_array(np.full((7, 7), -10, np.float32), "mask")
    model.graph.initializer.append(mask)
    add = helper.make_node("Add", [softmax.input[0], "mask"], ["masked"], "add_mask")
    softmax.input[0] = "masked"
    model.graph.node.insert(list(model.graph.node).index(softmax), add)
    with pytest.raises(ModelError, match="Add 'add_mask': an attention mask; every token must"):
        load(saved(model, tmp_path))


def test_each_cause_is_named_once_and_nothing_behind_it(
    vit_model: Callable[..., onnx.ModelProto], tmp_path: Path
) -> None:
    model = vit_model(gelu="Relu", take="ReduceMean")
    with pytest.raises(ModelError) as error:
        load(saved(model, tmp_path))
    lines = str(error.value).splitlines()
    assert len(lines) == 2, "the pooling comes after the activation and depends on it"
    assert lines[1].startswith("  Relu ")


def test_several_outputs_of_tokens_are_refused(
    vit_model: Callable[..., onnx.ModelProto], tmp_path: Path
) -> None:
    model = vit_model()
    take = next(n for n in reversed(model.graph.node) if n.op_type == "Gather")
    model.graph.output[0].name = take.input[0]
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 7
    with pytest.raises(ModelError, match="the model's output: it has 7 rows per image"):
        load(saved(model, tmp_path), check=False)


def test_a_long_list_is_cut() -> None:
    message = str(model_error("m", [Refusal(f"n{i}", "Elu", "no", "") for i in range(14)]))
    assert message.count("Elu") == 10
    assert message.startswith("m: hwgen cannot take 14 nodes of the model:")
    assert message.endswith("and 4 more.")


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "vit.onnx"
    onnx.save(model, path)
    return path
