# SPDX-License-Identifier: Apache-2.0
"""What the token selectors of a float graph do, image by image."""

from dataclasses import dataclass

import numpy as np

from hwgen.ir.evaluate import evaluate
from hwgen.ir.graph import Graph, Tokens


@dataclass(frozen=True, eq=False)
class FloatSelection:
    """What one selector did to one image.

    Attributes:
        selector: its name.
        kept: which of the rows it read stayed, bool (rows,).
        patches: which of the image's patches are still there behind it, bool (patches,).
    """

    selector: str
    kept: np.ndarray
    patches: np.ndarray

    @property
    def written(self) -> int:
        """Rows behind it: those that stayed, and the package token."""
        return int(self.kept.sum()) + 1


def selections(graph: Graph, images: np.ndarray) -> list[tuple[FloatSelection, ...]]:
    """What each selector did to each of ``images``, uint8 (images, height, width, channels).

    The passes keep a selector's name, so an imported and a canonical graph can be compared.

    Raises DataError when the images do not fit the graph's input.
    """
    return [_selections(graph, image[None]) for image in images]


def _selections(graph: Graph, image: np.ndarray) -> tuple[FloatSelection, ...]:
    tokens = next(op for op in graph.ops if isinstance(op, Tokens))
    prefix, rows = len(tokens.class_token), len(tokens.position)
    # Of each row the patch it is, -1 where it is none.
    places = np.concatenate([np.full(prefix, -1), np.arange(rows - prefix)])
    found: list[FloatSelection] = []

    def see(selector: str, kept: np.ndarray) -> None:
        nonlocal places
        places = np.append(places[kept], -1)
        patches = np.zeros(rows - prefix, bool)
        patches[places[places >= 0]] = True
        found.append(FloatSelection(selector, kept, patches))

    evaluate(graph, image, select=see)
    return tuple(found)
