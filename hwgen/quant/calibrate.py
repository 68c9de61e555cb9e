# SPDX-License-Identifier: Apache-2.0
"""Ranges of activations, observed while the float graph runs on calibration images."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np

from hwgen.errors import DataError, ModelError
from hwgen.ir.evaluate import evaluate, selects_tokens
from hwgen.ir.functions import normalise, split_heads
from hwgen.ir.graph import Attention, FusedLinear, Graph, inputs_of

BATCH = 8
SAMPLES = 1 << 14
"""Magnitudes kept of each tensor of a batch; evenly spaced, so the choice is deterministic."""


class Ranges:
    """Largest magnitudes seen, and a sample of magnitudes, by name.

    Names are graph values, ``<op>.normalised`` for the normalised input of a linear layer, and
    ``<op>.scores`` for attention scores after scaling.

    Args:
        samples: magnitudes kept of each tensor and batch.
    """

    def __init__(self, samples: int = SAMPLES) -> None:
        self._sample_size = samples
        self._largest: dict[str, float] = {}
        self._samples: dict[str, list[np.ndarray]] = defaultdict(list)

    def add(self, name: str, values: np.ndarray) -> None:
        """Takes in one batch of ``values``.

        Raises:
            ModelError: a value is not finite.
        """
        magnitude = np.abs(values).ravel()
        largest = float(magnitude.max())
        if not np.isfinite(largest):
            raise ModelError(
                f"Value {name!r} becomes infinite or NaN on the calibration images. Check the "
                "model's weights and the input normalisation (input.mean, input.std)."
            )
        self._largest[name] = max(largest, self._largest.get(name, 0.0))
        step = -(-len(magnitude) // self._sample_size)
        self._samples[name].append(magnitude[::step])

    def limit(self, name: str, percentile: float) -> float:
        """The magnitude that an int8 (or int16) tensor must reach; never zero.

        ``percentile`` 100 is the largest one seen; less clips that share of outliers.
        """
        if percentile >= 100:
            limit = self._largest[name]
        else:
            limit = float(np.percentile(np.concatenate(self._samples[name]), percentile))
        return limit if limit > 0 else 1.0


def calibrate(
    graph: Graph, images: np.ndarray, progress: Callable[[int, int], None] | None = None
) -> Ranges:
    """Runs a canonical ``graph`` on uint8 ``images`` (N, H, W, C) and collects ranges.

    Args:
        progress: called with the images done and their number.

    Raises:
        DataError: there are no images, or they do not fit the graph.
        ModelError: a value is not finite.
    """
    if len(images) == 0:
        raise DataError(
            "The calibration data holds no images. Give at least one; 32 to 128 typical images "
            "are a good number."
        )
    # Where tokens are selected, images run one by one: each is a batch of its own.
    ranges = Ranges(SAMPLES // BATCH if selects_tokens(graph) else SAMPLES)
    for start in range(0, len(images), BATCH):
        observer = _Observer(graph, ranges)
        evaluate(graph, images[start : start + BATCH], observer.see)
        if progress is not None:
            progress(min(start + BATCH, len(images)), len(images))
    return ranges


class _Observer:
    """Sees the values of one batch in the order of the graph and keeps those still needed."""

    def __init__(self, graph: Graph, ranges: Ranges) -> None:
        self._ranges = ranges
        self._producers = {op.output: op for op in graph.ops}
        self._last_use = {name: op.output for op in graph.ops for name in inputs_of(op)}
        self._live: dict[str, np.ndarray] = {}

    def see(self, name: str, values: np.ndarray) -> None:
        self._ranges.add(name, values)
        match self._producers[name]:
            case FusedLinear() as op if op.epsilon is not None:
                self._ranges.add(
                    f"{op.name}.normalised", normalise(self._live[op.input], op.epsilon)
                )
            case Attention() as op:
                self._ranges.add(f"{op.name}.scores", self._scores(op))
        self._live[name] = values
        for used in [used for used in self._live if self._last_use.get(used) == name]:
            del self._live[used]

    def _scores(self, op: Attention) -> np.ndarray:
        """Scaled scores (images, heads, queries, keys)."""
        query, key = (split_heads(self._live[name], op.heads) for name in (op.query, op.key))
        return (query * np.float32(op.scale)) @ key.swapaxes(2, 3)
