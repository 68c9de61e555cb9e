# SPDX-License-Identifier: Apache-2.0
"""What the model says about images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwgen.program.program import OutputLayout


@dataclass(frozen=True, eq=False)
class Prediction:
    """Attributes:
    labels: the class chosen for each image, int64 (N,).
    scores: of each class, float32 (N, classes), in the model's own units.
    integers: the same as the engine gives them, int16 (N, classes).
    """

    labels: np.ndarray
    scores: np.ndarray
    integers: np.ndarray


def prediction(
    outputs: Sequence[np.ndarray], layout: OutputLayout, batch: int, images: int
) -> Prediction:
    """The prediction for ``images`` images.

    Args:
        outputs: of each run, int16 (vectors, lanes), at least those of ``layout``.
        batch: images of a run.
    """
    lanes = outputs[0].shape[1]
    vectors = np.stack([output[: layout.vectors(lanes)] for output in outputs])
    rows = layout.unpack(vectors)
    # A model's class scores are in the first row of each image.
    integers = rows.reshape(len(rows) * batch, -1, layout.columns)[:images, 0].copy()
    return Prediction(
        integers.argmax(axis=1), integers.astype(np.float32) * np.float32(layout.scale), integers
    )
