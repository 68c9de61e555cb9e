# SPDX-License-Identifier: Apache-2.0
"""Images small enough for the report, and which of their patches stayed."""

import base64
import io

import numpy as np
from PIL import Image

MOST_PICTURES = 8
"""Images that the report carries as pictures."""
LARGEST = 112
"""Pixels of the longer side of a picture; larger images are made smaller."""
COLOURS = 256
"""Colours of a picture: a third of the bytes of true colour, and the eye hardly sees it."""


def picture(pixels: np.ndarray) -> str:
    """A PNG file in base64. The same pixels give the same text; small grey images stay exact.

    Args:
        pixels: uint8 (height, width, channels), 1 or 3 channels.
    """
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    # Reduces only, and keeps the proportions.
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    if image.mode != "L":
        image = image.quantize(COLOURS)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def pixels(picture: str) -> Image.Image:
    """The image of a ``picture``, RGB."""
    return Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")


def patches(digits: str, grid: tuple[int, int]) -> np.ndarray:
    """Which patches stayed, bool of shape ``grid``, from ``KeptPatches.patches``."""
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(digits), np.uint8))
    rows, columns = grid
    return bits[: rows * columns].reshape(grid).astype(bool)
