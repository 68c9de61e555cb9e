# SPDX-License-Identifier: Apache-2.0
"""What people give as images, and what the model takes."""

from typing import Any

import numpy as np

from hwgen.driver.errors import ImageError
from hwgen.program.program import InputLayout


def as_images(given: Any, layout: InputLayout) -> np.ndarray:
    """Images as uint8 (N, height, width, channels).

    Args:
        given: an array of that shape, without the channels where there is one, a single image, or
            a list of images; whatever ``numpy.asarray`` takes.

    Raises:
        ImageError: says what was given, what is wanted, and how to convert it.
    """
    shape = (layout.height, layout.width, layout.channels)
    wanted = f"uint8 images of shape (N, {', '.join(map(str, shape))})"
    try:
        images = np.asarray(given)
    except ValueError:
        raise ImageError(
            f"Images of several shapes were given; this model takes {wanted}. Resize them."
        ) from None
    except (TypeError, RuntimeError) as error:  # tensors that are not in this machine's memory
        raise ImageError(
            f"numpy takes no array from what was given ({error}); this model takes {wanted}."
        ) from None
    given_shape = images.shape
    flat = shape[:2] if layout.channels == 1 else shape
    if given_shape in (shape, flat):
        images = images[None]
    if images.shape[1:] == flat:
        images = images.reshape(-1, *shape)
    if images.dtype != np.uint8 or images.shape[1:] != shape:
        raise ImageError(
            f"Images of shape {given_shape} and type {images.dtype} were given; this model takes "
            f"{wanted}.{_advice(images, shape)}"
        )
    if not len(images):
        raise ImageError(f"No image was given; this model takes {wanted}, at least one.")
    return images


def _advice(images: np.ndarray, shape: tuple[int, ...]) -> str:
    """How to convert the images, as a sentence after the message."""
    height, width, channels = shape
    if images.shape[1:] == (channels, height, width):
        return " Put channels last: images.transpose(0, 2, 3, 1)."
    if images.dtype.kind == "f" and images.size:
        if images.min() >= 0 and images.max() <= 1:
            return " Convert: numpy.rint(images * 255).astype(numpy.uint8)."
        return " Give pixels from 0 to 255, not normalised: the model normalises them itself."
    if images.dtype == bool:
        return " Convert: images.astype(numpy.uint8) * 255."
    if images.dtype == object:
        return " Give an array, or a list of arrays of one shape."
    if images.dtype.kind in "iu" and images.dtype != np.uint8:
        return " Convert pixels from 0 to 255 with images.astype(numpy.uint8)."
    return ""
