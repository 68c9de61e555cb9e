# SPDX-License-Identifier: Apache-2.0
"""The quantisation that a model was trained with, as text that travels with the model.

A network trained in integers is right for its own scales; others, from another calibration, would
change its results.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from hwgen.config import Quantisation
from hwgen.errors import ConfigError, ModelError
from hwgen.ir.graph import Graph, PatchEmbedding
from hwgen.quant.scales import Scales

KEY = "hwgen.quantisation"
"""Metadata of an ONNX file."""

SETTINGS = ("power_of_two", "gelu_delta", "softmax_delta")
"""Settings that a network must be trained with to be run with; calibration is over."""

_PARTS = ("settings", "outputs", "normalised", "scores")


@dataclass(frozen=True)
class TrainedQuantisation:
    """Scales by the names of the canonical graph's operations, which outlive export and import:
    ``outputs`` of what they make, ``normalised`` and ``scores`` as in ``Scales``. ``settings``
    holds SETTINGS.
    """

    settings: Mapping[str, bool | float]
    outputs: Mapping[str, float]
    normalised: Mapping[str, float]
    scores: Mapping[str, float]

    @classmethod
    def of(cls, graph: Graph, scales: Scales, settings: Quantisation) -> "TrainedQuantisation":
        """From the ``scales`` of a canonical ``graph``."""
        outputs = {op.name: scales.values[op.output] for op in graph.ops if _has_scale(op)}
        chosen = {name: getattr(settings, name) for name in SETTINGS}
        return cls(chosen, outputs, scales.normalised, scales.scores)

    def scales(self, graph: Graph) -> Scales:
        """The scales of a canonical ``graph``, which may have been exported and imported.

        Raises ModelError when they are another graph's.
        """
        names = {op.name for op in graph.ops if _has_scale(op)}
        if names != set(self.outputs):
            odd = min(names ^ set(self.outputs))
            raise ModelError(
                f"The metadata {KEY} of {graph.name} does not fit its operations, for example "
                f"'{odd}'. Export the model again, or remove that metadata to quantise it anew."
            )
        values = {graph.input.name: 1.0}
        values |= {op.output: self.outputs[op.name] for op in graph.ops if _has_scale(op)}
        return Scales(values, dict(self.normalised), dict(self.scores))

    def applied(self, settings: Quantisation) -> Quantisation:
        """``settings`` with those of the training.

        Raises ConfigError when others were asked for.
        """
        for name in SETTINGS:
            asked, trained = getattr(settings, name), self.settings[name]
            if name in settings.model_fields_set and asked != trained:
                raise ConfigError(
                    f"quantisation.{name} is {asked}, but the model was trained in integers with "
                    f"{trained}. Leave it out of the configuration."
                )
        return settings.model_copy(update=dict(self.settings))

    def text(self) -> str:
        """JSON, the same for the same scales; numbers come back exactly."""
        return json.dumps({name: dict(value) for name, value in vars(self).items()})

    @classmethod
    def parse(cls, text: str, where: str) -> "TrainedQuantisation":
        """The inverse of ``text``.

        Raises ModelError, which begins with ``where``, when it is something else.
        """
        try:
            found = json.loads(text)
            if not isinstance(found, dict) or set(found) != set(_PARTS):
                raise ValueError(f"it must hold {', '.join(_PARTS)}")
            settings, *scales = (found[part] for part in _PARTS)
            if not isinstance(settings, dict) or set(settings) != set(SETTINGS):
                raise ValueError(f"settings must hold {', '.join(SETTINGS)}")
            checked = Quantisation(**settings)
            if not all(
                isinstance(part, dict) and all(map(_is_scale, part.values())) for part in scales
            ):
                raise ValueError("scales must be positive numbers by name")
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise ModelError(
                f"{where}: metadata {KEY} cannot be read ({reason}). Export the model again, or "
                "remove that metadata to quantise it anew."
            ) from None
        return cls({name: getattr(checked, name) for name in SETTINGS}, *scales)


def _is_scale(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value > 0


def _has_scale(op: object) -> bool:
    """The patch embedding's result goes into the tokens; it is no tensor of its own."""
    return not isinstance(op, PatchEmbedding)
