# SPDX-License-Identifier: Apache-2.0
import numpy as np

from hwgen.cli.picture import COLUMNS, picture


def test_a_band_shows_where_the_models_differ() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), np.uint8)
    labels = np.zeros(20, np.int64)
    other = labels.copy()
    other[17] = 3
    same = picture(images, labels, labels, labels, ["cat"])
    differ = picture(images, labels, labels, other, ["cat"])
    assert same.width == differ.width
    assert differ.height > same.height


def test_colour_images_are_drawn() -> None:
    images = np.zeros((COLUMNS, 32, 32, 3), np.uint8)
    images[..., 0] = 200
    labels = np.zeros(COLUMNS, np.int64)
    shown = np.asarray(picture(images, labels, labels, labels, ["cat"]))
    assert ((shown == (200, 0, 0)).all(axis=2)).sum() > 10_000
