# SPDX-License-Identifier: Apache-2.0
"""The picture grid of a report as one image: what each selector left of the first images."""

from PIL import Image, ImageDraw, ImageFont

from hwgen.report.pictures import patches, pixels
from hwgen.report.schema import KeptPatches, Pruning

COLUMNS = 2
"""Images side by side, each with what was left of it."""

_IMAGE, _GAP, _PAD, _HEAD, _FOOT, _EDGE, _TITLE = 140, 10, 14, 30, 26, 28, 42
_PAGE, _CARD, _INK, _SOFT, _LINE = "#f6f7f9", "#ffffff", "#1b2430", "#5c6773", "#e1e5ea"
_GONE, _DIM = (163, 193, 238), 0.86


def pruning_picture(pruning: Pruning, title: str) -> Image.Image:
    """Cards of images, each followed by what is left of it behind each selector.

    Args:
        pruning: of a report; images without a picture are left out.
    """
    shown = [kept for kept in pruning.kept if kept.picture is not None]
    stages = 1 + len(pruning.selectors)
    width = 2 * _PAD + stages * (_IMAGE + _GAP) - _GAP
    height = _HEAD + _IMAGE + _FOOT + _PAD
    lines = -(-len(shown) // COLUMNS)
    page = Image.new(
        "RGB",
        (
            2 * _EDGE + COLUMNS * (width + _GAP) - _GAP,
            2 * _EDGE + _TITLE + lines * (height + _GAP) - _GAP,
        ),
        _PAGE,
    )
    draw = ImageDraw.Draw(page)
    draw.text((_EDGE, _EDGE), title, _INK, _font(20))
    for place, kept in enumerate(shown):
        line, column = divmod(place, COLUMNS)
        left = _EDGE + column * (width + _GAP)
        top = _EDGE + _TITLE + line * (height + _GAP)
        draw.rounded_rectangle((left, top, left + width, top + height), 8, _CARD, _LINE)
        _card(page, draw, left + _PAD, top, pruning, kept)
    return page


def _card(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    left: int,
    top: int,
    pruning: Pruning,
    kept: KeptPatches,
) -> None:
    """One image; names above it, and below how many patches there are."""
    assert kept.picture is not None
    rows, columns = pruning.grid
    image = pixels(kept.picture).resize((_IMAGE, _IMAGE), Image.Resampling.NEAREST)
    faded = Image.blend(image, Image.new("RGB", image.size, _GONE), _DIM)
    names = (f"image {kept.image}", *(f"before {s.block}" for s in pruning.selectors))
    for stage, name in enumerate(names):
        x, y = left + stage * (_IMAGE + _GAP), top + _HEAD
        count, panel = rows * columns, image
        if stage:
            left_over = patches(kept.patches[stage - 1], pruning.grid)
            mask = (
                Image.fromarray(left_over).convert("L").resize(image.size, Image.Resampling.NEAREST)
            )
            count, panel = int(left_over.sum()), Image.composite(image, faded, mask)
        draw.text((x, top + 8), name, _SOFT if stage else _INK, _font(13))
        page.paste(panel, (x, y))
        draw.text((x, y + _IMAGE + 6), f"{count} patches", _SOFT, _font(13))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
