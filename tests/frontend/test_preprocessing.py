# SPDX-License-Identifier: Apache-2.0
"""Where the mean and the standard deviation of pixels come from."""

import logging
from pathlib import Path

import pytest

from hwgen.errors import ModelError
from hwgen.frontend.preprocessing import IMAGENET, preprocessing_of

PATH = Path("m.onnx")
METADATA = {"hwgen.mean": "0.1, 0.2", "hwgen.std": "[0.3, 0.4]"}


def test_the_argument_comes_first() -> None:
    given = ((0.0, 0.0), (1.0, 1.0))
    assert preprocessing_of(METADATA, 2, PATH, given) == given


def test_then_the_metadata() -> None:
    assert preprocessing_of(METADATA, 2, PATH) == ((0.1, 0.2), (0.3, 0.4))


def test_then_the_usual_values_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert preprocessing_of({}, 3, PATH) == IMAGENET
        assert preprocessing_of({}, 1, PATH) == ((0.5,), (0.5,))
    assert "m.onnx does not say how its pixels are normalised; taking mean (0.485" in caplog.text


def test_no_usual_values_for_two_channels() -> None:
    with pytest.raises(ModelError, match="takes 2 channels and does not say how its pixels"):
        preprocessing_of({}, 2, PATH)


@pytest.mark.parametrize("text", ["", "a,b", "0.5;0.5", "0.1,,0.2"])
def test_unreadable_metadata(text: str) -> None:
    with pytest.raises(ModelError, match=r"m\.onnx.*hwgen\.mean"):
        preprocessing_of({**METADATA, "hwgen.mean": text}, 2, PATH)


def test_the_numbers_must_fit_the_channels() -> None:
    with pytest.raises(ModelError, match="2 numbers for the mean and 2 .* takes 3 channels"):
        preprocessing_of(METADATA, 3, PATH)


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan")])
def test_the_standard_deviation_must_be_positive(std: float) -> None:
    with pytest.raises(ModelError, match="the given normalisation .*above zero"):
        preprocessing_of({}, 1, PATH, ((0.5,), (std,)))
