# SPDX-License-Identifier: Apache-2.0
"""Every kind of bad file is refused in one paragraph: what was found, where, what to do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from hwgen.errors import ModelError
from hwgen.frontend import load

Build = Callable[..., onnx.ModelProto]


def refusal(path: Path, model: onnx.ModelProto | None = None) -> str:
    """The message that ``load`` gives for ``path``, after writing ``model`` there."""
    if model is not None:
        onnx.save(model, path)
    with pytest.raises(ModelError) as error:
        load(path)
    message = str(error.value)
    assert message.startswith(str(path)), "it says where"
    assert "\n" not in message, "it is one paragraph"
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vit.onnx"


def test_missing_file(path: Path) -> None:
    assert refusal(path).endswith("there is no such file; give the path of an .onnx file.")


def test_directory(tmp_path: Path) -> None:
    assert "this is a directory; give the path of the .onnx file in it." in refusal(tmp_path)


def test_empty_file(path: Path) -> None:
    path.touch()
    assert "the file holds no ONNX graph (0 bytes). Export or copy the model again." in refusal(
        path
    )


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_truncated_file(vit_file: Callable[..., Path], kept: float) -> None:
    path = vit_file()
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    message = refusal(path)
    assert "this is not an ONNX file, or it is cut short (" in message
    assert "Export or copy the model again." in message


@pytest.mark.parametrize("content", [b"hello, world\n", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_another_kind_of_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert "this is not an ONNX file, or it is cut short" in refusal(path)


@pytest.mark.parametrize("version", [11, 99])
def test_unsupported_operator_set(vit_model: Build, path: Path, version: int) -> None:
    model = vit_model()
    model.opset_import[0].version = version
    message = refusal(path, model)
    assert f"uses version {version} of the ONNX operator set; hwgen takes 13 to 23" in message
    assert "opset_version=18" in message


@pytest.mark.parametrize(("axis", "name"), [(1, "channels"), (2, "height"), (3, "width")])
def test_dynamic_dimension(vit_model: Build, path: Path, axis: int, name: str) -> None:
    model = vit_model()
    model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = "n"
    message = refusal(path, model)
    assert f"the {name} of input 'images' is dynamic ('n')" in message
    assert "Export with only the batch dynamic." in message


def test_several_inputs(vit_model: Build, path: Path) -> None:
    model = vit_model()
    mask = model.graph.input.add()
    mask.CopyFrom(model.graph.input[0])
    mask.name = "mask"
    message = refusal(path, model)
    assert "2 inputs ('images', 'mask') and 1 output ('logits')" in message
    assert "Export a module whose forward takes the image alone" in message


def test_wrong_rank(vit_model: Build, path: Path) -> None:
    model = vit_model()
    del model.graph.input[0].type.tensor_type.shape.dim[3]
    message = refusal(path, model)
    assert "input 'images' has shape [batch,3,8]; it must have four dimensions" in message


def test_wrong_type(vit_model: Build, path: Path) -> None:
    model = vit_model()
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    assert "is of type FLOAT16; hwgen takes FLOAT (float32)" in refusal(path, model)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite(vit_model: Build, path: Path, bad: float) -> None:
    model = vit_model()
    (weight, *_) = (i for i in model.graph.initializer if list(i.dims) == [12, 36])
    array = numpy_helper.to_array(weight).copy()
    array[3, :2] = bad
    weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    message = refusal(path, model)
    assert f"initializer '{weight.name}' of shape [12, 36] holds 2 values that are not" in message


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_external_data(vit_model: Build, path: Path, damage: str) -> None:
    external = {"save_as_external_data": True, "size_threshold": 256, "location": "w.data"}
    onnx.save(vit_model(), path, **external)
    data = path.with_name("w.data")
    if damage == "missing":
        data.unlink()
    else:
        data.write_bytes(data.read_bytes()[:100])
    message = refusal(path)
    assert "w.data cannot be read" in message
    assert "Keep the external data file beside the .onnx file" in message


def test_a_name_that_nothing_makes(vit_model: Build, path: Path) -> None:
    model = vit_model()
    model.graph.node[5].input[0] = "nowhere"
    message = refusal(path, model)
    assert "the ONNX graph is damaged" in message and "nowhere" in message


def test_a_graph_that_onnxruntime_refuses(vit_model: Build, path: Path) -> None:
    model = vit_model()
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    assert "onnxruntime refuses the model" in refusal(path, model)
