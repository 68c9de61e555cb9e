# SPDX-License-Identifier: Apache-2.0
"""Reads an ONNX file and refuses what is damaged or is no image classifier, with a reason."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError

from hwgen.errors import ModelError

OPSETS = range(13, 24)
"""Versions of the ONNX operator set whose meaning the importer knows."""


def read(path: Path) -> ir.Model:
    """The model in the ONNX file ``path``, its weights checked.

    Raises ModelError when the file is missing, unreadable, damaged, of an unsupported operator
    set, lacks its external weights, or holds a weight that is not finite.
    """
    if not path.exists():
        raise ModelError(f"{path}: there is no such file; give the path of an .onnx file.")
    if not path.is_file():
        raise ModelError(f"{path}: this is a directory; give the path of the .onnx file in it.")
    model = _parse(path)
    _check_opset(model, path)
    _check_weights(model, path)
    _check_structure(path)
    return model


def image_shape(model: ir.Model, path: Path) -> tuple[int, int, int, int]:
    """Batch, channels, height and width of the model's one input; a dynamic batch counts as 1.

    Raises ModelError when the model has several inputs or outputs, or an input that is no
    float32 image of fixed size.
    """
    initializers = model.graph.initializers
    inputs = [value for value in model.graph.inputs if value.name not in initializers]
    if len(inputs) != 1 or len(model.graph.outputs) != 1:
        raise ModelError(
            f"{path}: the model has {_listed('input', inputs)} and "
            f"{_listed('output', model.graph.outputs)}; hwgen takes one image and gives one row "
            "of logits. Export a module whose forward takes the image alone and returns the "
            "logits alone."
        )
    (value,) = inputs
    if value.dtype != ir.DataType.FLOAT:
        raise ModelError(
            f"{path}: input '{value.name}' is of type {value.dtype}; hwgen takes FLOAT (float32), "
            "the normalised pixels. Export the model in float32."
        )
    if value.shape is None or len(value.shape) != 4:
        raise ModelError(
            f"{path}: input '{value.name}' has shape {value.shape}; it must have four dimensions, "
            "[batch, channels, height, width]."
        )
    names = ("batch", "channels", "height", "width")
    for name, size in tuple(zip(names, value.shape, strict=True))[1:]:
        if not isinstance(size, int):
            raise ModelError(
                f"{path}: the {name} of input '{value.name}' is dynamic ('{size}'); an "
                "accelerator has a fixed image size. Export with only the batch dynamic."
            )
    batch, channels, height, width = (s if isinstance(s, int) else 1 for s in value.shape)
    if min(batch, channels, height, width) < 1:
        raise ModelError(f"{path}: input '{value.name}' has shape {value.shape}; it is empty.")
    return batch, channels, height, width


def _parse(path: Path) -> ir.Model:
    try:
        proto = onnx.load_model(path, format="protobuf", load_external_data=False)
    except DecodeError as error:
        raise ModelError(
            f"{path}: this is not an ONNX file, or it is cut short ({path.stat().st_size} bytes; "
            f"{error}). Export or copy the model again."
        ) from error
    except OSError as error:
        raise ModelError(f"{path}: the file cannot be read ({error.strerror}).") from error
    if not proto.graph.node:
        raise ModelError(
            f"{path}: the file holds no ONNX graph ({path.stat().st_size} bytes). Export or copy "
            "the model again."
        )
    try:
        model = ir.from_proto(proto)
    except Exception as error:  # the deserialiser wraps whatever it met, without a common base
        raise ModelError(
            f"{path}: the ONNX graph is damaged ({' '.join(str(error).split())}). Export or copy "
            "the model again."
        ) from error
    ir.external_data.set_base_dir(model.graph, path.parent)
    return model


def _check_opset(model: ir.Model, path: Path) -> None:
    version = model.opset_imports.get("", model.opset_imports.get("ai.onnx"))
    if version not in OPSETS:
        raise ModelError(
            f"{path}: the model uses version {version} of the ONNX operator set; hwgen takes "
            f"{OPSETS[0]} to {OPSETS[-1]}. Export with opset_version=18, or convert the file "
            "with onnx.version_converter."
        )


def _check_structure(path: Path) -> None:
    """Undefined names, wrong attributes and the like, by the checker of the ONNX project."""
    try:
        onnx.checker.check_model(str(path))
    except (onnx.checker.ValidationError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(
            f"{path}: the ONNX graph is damaged ({reason}). Export or copy the model again."
        ) from error


def _check_weights(model: ir.Model, path: Path) -> None:
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is None:
            raise ModelError(f"{path}: initializer '{name}' has no data; export the model again.")
        try:
            array = tensor.numpy()
        except (OSError, ValueError) as error:
            where = f" in file {tensor.path}" if isinstance(tensor, ir.ExternalTensor) else ""
            raise ModelError(
                f"{path}: the data of initializer '{name}'{where} cannot be read ({error}). Keep "
                "the external data file beside the .onnx file, or export with weights inside."
            ) from error
        if tensor.dtype.is_floating_point() and not np.isfinite(array.astype(np.float32)).all():
            count = int((~np.isfinite(array.astype(np.float32))).sum())
            raise ModelError(
                f"{path}: initializer '{name}' of shape {list(array.shape)} holds {count} values "
                "that are not finite (NaN or infinity); the training diverged or the file is "
                "damaged."
            )


def _listed(what: str, values: Sequence[ir.Value]) -> str:
    names = ", ".join(f"'{value.name}'" for value in values)
    return f"{len(values)} {what}{'' if len(values) == 1 else 's'} ({names})"
