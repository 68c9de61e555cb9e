# SPDX-License-Identifier: Apache-2.0
"""From an ONNX file to a checked Graph."""

import json
from pathlib import Path

import numpy as np

from hwgen.errors import ModelError
from hwgen.frontend.preprocessing import Preprocessing, preprocessing_of
from hwgen.frontend.read import image_shape, read
from hwgen.frontend.reference import FloatReference
from hwgen.frontend.rewrite import rewrite
from hwgen.frontend.selector import check_batch
from hwgen.frontend.translate import translate
from hwgen.ir.evaluate import logits, selects_tokens
from hwgen.ir.graph import Graph, ImageInput
from hwgen.ir.rows import check_rows

CLASSES_KEY = "hwgen.classes"
"""Metadata that names the classes."""

TOLERANCE = 1e-3
"""Largest difference from onnxruntime that ``load`` accepts, relative to the largest logit."""

SELECTION_IMAGES = 3
"""Images on which ``load`` compares a graph with token selectors, until one agrees."""


def load(
    path: str | Path,
    preprocessing: Preprocessing | tuple[tuple[float, ...], tuple[float, ...]] | None = None,
    *,
    check: bool = True,
) -> Graph:
    """Reads the vision transformer in the ONNX file ``path``.

    ``preprocessing`` is the pixels' (mean, std), one number per channel, on the scale 0 to 1.
    Without it the file's metadata ``hwgen.mean`` and ``hwgen.std`` count, and without those the
    usual values for the number of channels, with a warning in the log. With ``check`` the Graph
    is compared with onnxruntime on one random image.

    Raises ModelError when the file is missing, damaged, or not a transformer hwgen can take.
    """
    path = Path(path)
    model = read(path)
    batch, channels, height, width = image_shape(model, path)
    chosen = preprocessing_of(model.metadata_props, channels, path, preprocessing)
    classes = _class_names(model.metadata_props.get(CLASSES_KEY, ""), path)
    rewrite(model)
    check_batch(model, path)
    image = ImageInput("images", height, width, channels, chosen.mean, chosen.std)
    graph = translate(model, path.stem, image, batch, classes)
    check_rows(graph)
    if check:
        check_against_reference(graph, FloatReference(path, graph.input))
    return graph


def check_against_reference(graph: Graph, reference: FloatReference) -> None:
    """Compares ``graph`` with the original model on one seeded random image.

    A token whose score is the threshold itself, up to rounding, may stay in one and go in the
    other. Where tokens are selected, one image of SELECTION_IMAGES that agrees is enough.

    Raises ModelError when they differ by more than TOLERANCE.
    """
    count = SELECTION_IMAGES if selects_tokens(graph) else 1
    shape = (count, graph.input.height, graph.input.width, graph.input.channels)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    expected = reference.logits(images)
    found = logits(graph, images)
    if found.shape != expected.shape:
        raise ModelError(
            f"{graph.name}: the imported graph gives logits of shape {found.shape}, onnxruntime "
            f"{expected.shape}; this is a fault of the importer, please report the model."
        )
    largest = np.maximum(np.abs(expected).max(axis=1), 1e-30)
    difference = float((np.abs(found - expected).max(axis=1) / largest).min())
    if not difference < TOLERANCE:
        cause = "this is a fault of the importer, please report the model."
        if selects_tokens(graph):
            cause = (
                "was the body of its function hwgen.TokenSelector changed? hwgen takes that from "
                "its attributes and weights alone. Otherwise " + cause
            )
        raise ModelError(
            f"{graph.name}: the imported graph differs from onnxruntime by {difference:.2g} of "
            f"the largest logit (limit {TOLERANCE:g}); {cause}"
        )


def _class_names(text: str, path: Path) -> tuple[str, ...]:
    """Reads ``cat, dog`` or the JSON list ``["cat", "dog"]``; empty text names nothing."""
    if text.lstrip().startswith("["):
        try:
            return tuple(str(name) for name in json.loads(text))
        except ValueError as error:
            raise ModelError(
                f"{path}: metadata {CLASSES_KEY} begins like a JSON list and is none ({error}). "
                'Write ["cat", "dog"], or names with commas between them.'
            ) from None
    return tuple(name.strip() for name in text.split(",")) if text else ()
