# SPDX-License-Identifier: Apache-2.0
"""The picture grid of the page: each image, and beside it what was left behind each selector."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwgen.report.pictures import patches
from hwgen.report.schema import KeptPatches, Pruning


@dataclass(frozen=True)
class Panel:
    """An image with the patches that are gone.

    Attributes:
        caption: how many patches there are.
        title: where that is.
        dropped: SVG path of what is gone, in units of patches; empty: nothing.
    """

    caption: str
    title: str
    dropped: str


@dataclass(frozen=True)
class Strip:
    """One image through the network.

    Attributes:
        picture: PNG in base64.
        panels: the whole image, then one for each selector.
        cycles: predicted ones; empty where a run takes several images.
    """

    name: str
    picture: str
    cycles: str
    panels: tuple[Panel, ...]


def strips(pruning: Pruning, batch: int) -> tuple[Strip, ...]:
    """One for each image that the report has a picture of.

    Args:
        batch: images of a run.
    """
    return tuple(
        Strip(
            name=f"image {kept.image}",
            picture=kept.picture,
            cycles=f"{pruning.runs[kept.image].predicted:,} cycles" if batch == 1 else "",
            panels=_panels(pruning, kept),
        )
        for kept in pruning.kept
        if kept.picture is not None
    )


def _panels(pruning: Pruning, kept: KeptPatches) -> tuple[Panel, ...]:
    rows, columns = pruning.grid
    count = rows * columns
    found = [Panel(f"{count}", f"all {count} patches", "")]
    for selector, digits in zip(pruning.selectors, kept.patches, strict=True):
        left = patches(digits, pruning.grid)
        title = f"{left.sum()} of {count} patches enter {selector.block}"
        found.append(Panel(f"{left.sum()}", title, _path(~left)))
    return tuple(found)


def _path(gone: np.ndarray) -> str:
    """The patches that are set, a rectangle for those that lie side by side.

    Args:
        gone: bool (rows, columns).
    """
    return "".join(
        f"M{first} {row}h{last - first}v1h{first - last}z"
        for row, line in enumerate(gone)
        for first, last in _stretches(line)
    )


def _stretches(line: np.ndarray) -> Sequence[tuple[int, int]]:
    """(first, one after the last) of what is set without a gap."""
    steps = np.diff(np.concatenate([[False], line, [False]]).astype(np.int8))
    first, last = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return [(int(a), int(b)) for a, b in zip(first, last, strict=True)]
