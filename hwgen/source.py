# SPDX-License-Identifier: Apache-2.0
"""Where a model comes from: an ONNX file, or a preset with random weights."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from hwgen.config import InputSettings
from hwgen.errors import ConfigError, ModelError
from hwgen.frontend import float_reference, load
from hwgen.ir.evaluate import logits
from hwgen.ir.graph import Graph
from hwgen.presets import preset
from hwgen.quant.trained import KEY, TrainedQuantisation

PREFIX = "preset:"
COPY = "model.onnx"
"""Name of the model's copy in a design folder."""

Logits = Callable[[np.ndarray], np.ndarray]
"""uint8 images (N, H, W, C) to float32 class scores (N, classes)."""


@dataclass(frozen=True)
class Source:
    """An ONNX file, or where ``path`` is None the preset ``name``."""

    name: str
    path: Path | None

    @classmethod
    def of(cls, model: str | Path) -> "Source":
        """From what the user gave: a path, or ``preset:NAME``."""
        text = str(model)
        if text.startswith(PREFIX):
            return cls(text.removeprefix(PREFIX), None)
        return cls(Path(model).stem, Path(model))

    @property
    def recorded(self) -> str:
        """How the report names it, without the path."""
        return PREFIX + self.name if self.path is None else COPY

    def graph(self, settings: InputSettings) -> Graph:
        """The float network.

        Raises:
            ModelError: the file is missing, damaged or not supported, or there is no such preset.
            ConfigError: a preset with the wrong number of means.
        """
        if self.path is None:
            return _with_normalisation(preset(self.name), settings)
        return load(self.path, _normalisation(settings))

    def float_logits(self, settings: InputSettings) -> Logits:
        """The model as it was given, without any change: onnxruntime for a file.

        Raises:
            ModelError: as for ``graph``.
        """
        if self.path is None:
            graph = self.graph(settings)
            return lambda images: logits(graph, images)
        return float_reference(self.path, _normalisation(settings)).logits

    def quantisation(self) -> TrainedQuantisation | None:
        """What the model was trained with in integers; None where it was not.

        Raises ModelError when the file's metadata about it is damaged.
        """
        if self.path is None:
            return None
        proto = onnx.load_model(self.path, load_external_data=False)
        text = next((p.value for p in proto.metadata_props if p.key == KEY), None)
        return None if text is None else TrainedQuantisation.parse(text, str(self.path))

    def copy(self) -> dict[str, bytes | Path]:
        """The file that a design folder keeps; none for a preset.

        Weights that lie in other files are taken in, so that the copy stands alone.

        Raises:
            ModelError: with its weights the model is too large for one file (2 GB).
        """
        if self.path is None:
            return {}
        proto = onnx.load_model(self.path, load_external_data=False)
        external = onnx.TensorProto.EXTERNAL
        if not any(tensor.data_location == external for tensor in proto.graph.initializer):
            return {COPY: self.path}
        try:
            proto = onnx.load_model(self.path)
            return {COPY: proto.SerializeToString(deterministic=True)}
        except ValueError as error:
            raise ModelError(
                f"{self.path} with its external weights does not fit one ONNX file ({error}). "
                "Export a smaller model."
            ) from None


def _normalisation(
    settings: InputSettings,
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    if settings.mean is None or settings.std is None:
        return None
    return settings.mean, settings.std


def _with_normalisation(graph: Graph, settings: InputSettings) -> Graph:
    if settings.mean is None or settings.std is None:
        return graph
    if len(settings.mean) != graph.input.channels:
        raise ConfigError(
            f"input.mean and input.std hold {len(settings.mean)} numbers; {graph.name} takes "
            f"images of {graph.input.channels} channels. Give one number per channel."
        )
    return replace(graph, input=replace(graph.input, mean=settings.mean, std=settings.std))
