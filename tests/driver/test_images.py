# SPDX-License-Identifier: Apache-2.0
"""Images of every form that people have them in."""

import re

import numpy as np
import pytest

from hwgen.driver.errors import ImageError
from hwgen.driver.images import as_images
from hwgen.program.program import InputLayout

GREY = InputLayout(4, 6, 1, 2)
COLOUR = InputLayout(4, 6, 3, 2)


def pixels(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)


class Tensor:
    """What is not in this machine's memory, as other libraries have it."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise self._error


@pytest.mark.parametrize(
    ("layout", "shape", "count"),
    [
        (GREY, (5, 4, 6, 1), 5),
        (GREY, (5, 4, 6), 5),
        (GREY, (4, 6), 1),
        (GREY, (4, 6, 1), 1),
        (COLOUR, (5, 4, 6, 3), 5),
        (COLOUR, (4, 6, 3), 1),
    ],
)
def test_forms_of_images(layout: InputLayout, shape: tuple[int, ...], count: int) -> None:
    given = pixels(*shape)
    found = as_images(given, layout)
    assert found.shape == (count, 4, 6, layout.channels) and found.dtype == np.uint8
    assert np.array_equal(found.reshape(-1), given.reshape(-1))


def test_a_list_of_images() -> None:
    images = [pixels(4, 6, 3), 255 - pixels(4, 6, 3)]
    assert np.array_equal(as_images(images, COLOUR), np.stack(images))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (pixels(2, 4, 6), "Images of shape (2, 4, 6) and type uint8 were given"),
        (pixels(2, 3, 4, 6), "Put channels last: images.transpose(0, 2, 3, 1)."),
        (pixels(2, 4, 6, 3) / 255, "Convert: numpy.rint(images * 255).astype(numpy.uint8)."),
        (pixels(2, 4, 6, 3) - 100.0, "Give pixels from 0 to 255, not normalised"),
        (pixels(2, 4, 6, 3).astype(int), "images.astype(numpy.uint8)"),
        (pixels(2, 4, 6, 3) > 0, "Convert: images.astype(numpy.uint8) * 255."),
        ((pixels(4, 6, 3) for _ in range(2)), "Give an array, or a list of arrays of one shape."),
        (np.zeros((0, 4, 6, 3), np.uint8), "No image was given"),
        (np.zeros((0, 4, 6, 3)), "type float64 were given"),
        ([pixels(4, 6, 3), pixels(5, 6, 3)], "Images of several shapes were given"),
        (Tensor(TypeError("it is on the GPU")), "numpy takes no array from what was given (it is"),
        (Tensor(RuntimeError("it needs a gradient")), "from what was given (it needs a gradient)"),
        ("image.png", "Images of shape () and type <U9 were given"),
        (None, "Images of shape () and type object were given"),
    ],
)
def test_what_does_not_fit(given: object, message: str) -> None:
    with pytest.raises(ImageError, match=re.escape(message)) as error:
        as_images(given, COLOUR)
    assert "this model takes uint8 images of shape (N, 4, 6, 3)" in str(error.value)
