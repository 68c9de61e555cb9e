# SPDX-License-Identifier: Apache-2.0
"""A picture of test images with true, float and int8 labels."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLUMNS = 8
ROWS = 2
"""Rows of the first images; one more shows images on which float and int8 differ."""

_CELL, _IMAGE, _TEXT, _GAP, _EDGE = 148, 112, 66, 14, 28
_PAGE, _CARD, _INK, _SOFT = "#f6f7f9", "#ffffff", "#1b2430", "#6b7683"
_GOOD, _BAD, _LINE = "#1a7f37", "#cf222e", "#e1e5ea"


def picture(
    images: np.ndarray,
    labels: np.ndarray,
    float_: np.ndarray,
    int8: np.ndarray,
    classes: Sequence[str],
) -> Image.Image:
    """Cards of images with the names of their classes, wrong ones in red.

    Args:
        images: uint8 (N, H, W, C).
        labels, float_, int8: the true classes and those chosen by each model, int64 (N,).
        classes: their names; a class beyond them is shown as its number.
    """
    first = np.arange(min(ROWS * COLUMNS, len(images)))
    differ = np.flatnonzero(float_ != int8)
    bands = [(f"The first {len(first)} test images", first)]
    if len(differ):
        count = f"{len(differ)} of {len(images):,}"
        bands.append((f"Where float and int8 differ: {count}", differ[:COLUMNS]))
    height = _EDGE + sum(_band_height(len(which)) for _, which in bands) + _EDGE - _GAP
    width = 2 * _EDGE + COLUMNS * (_CELL + _GAP) - _GAP
    page = Image.new("RGB", (width, height), _PAGE)
    draw = ImageDraw.Draw(page)
    top = _EDGE
    for title, which in bands:
        draw.text((_EDGE, top), title, _INK, _font(19))
        for place, index in enumerate(which):
            row, column = divmod(place, COLUMNS)
            left = _EDGE + column * (_CELL + _GAP)
            upper = top + 36 + row * (_CELL_HEIGHT + _GAP)
            names = [_name(classes, c[index]) for c in (labels, float_, int8)]
            _card(page, draw, left, upper, images[index], names)
        top += _band_height(len(which))
    return page


_CELL_HEIGHT = _IMAGE + 18 + _TEXT


def _band_height(images: int) -> int:
    rows = -(-images // COLUMNS)
    return 36 + rows * (_CELL_HEIGHT + _GAP) + 10


def _name(classes: Sequence[str], index: int) -> str:
    return classes[index] if index < len(classes) else str(index)


def _card(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    left: int,
    top: int,
    pixels: np.ndarray,
    names: Sequence[str],
) -> None:
    """One image over its true, float and int8 label."""
    box = (left, top, left + _CELL, top + _CELL_HEIGHT)
    draw.rounded_rectangle(box, 8, _CARD, _LINE)
    image = Image.fromarray(pixels.squeeze()).convert("RGB")
    image = image.resize((_IMAGE, _IMAGE), Image.Resampling.NEAREST)
    page.paste(image, (left + (_CELL - _IMAGE) // 2, top + 10))
    for line, (title, name) in enumerate(zip(("true", "float", "int8"), names, strict=True)):
        y = top + _IMAGE + 17 + line * 19
        colour = _INK if line == 0 else _GOOD if name == names[0] else _BAD
        draw.text((left + 16, y), title, _SOFT, _font(13))
        draw.text((left + 56, y), name, colour, _font(13))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
