# SPDX-License-Identifier: Apache-2.0
"""The original model in onnxruntime takes any number of images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwgen.errors import DataError
from hwgen.frontend import float_reference


def images(count: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, 8, 12, 3), np.uint8)


@pytest.mark.parametrize("batch", ["batch", 1, 4])
@pytest.mark.parametrize("count", [1, 5, 18])
def test_batches(vit_file: Callable[..., Path], batch: int | str, count: int) -> None:
    reference = float_reference(vit_file(batch=batch))
    together = reference.logits(images(count))
    assert together.shape == (count, 5)
    assert together.dtype == np.float32
    alone = np.concatenate([reference.logits(image[None]) for image in images(count)])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_preprocessing_is_applied(vit_file: Callable[..., Path]) -> None:
    path = vit_file()
    plain = float_reference(path, ((0.0,) * 3, (1.0,) * 3)).logits(images(1))
    assert np.abs(plain - float_reference(path).logits(images(1))).max() > 0.01


def test_images_of_another_shape_are_refused(vit_file: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="takes uint8 of shape"):
        float_reference(vit_file()).logits(images(1)[:, :4])
