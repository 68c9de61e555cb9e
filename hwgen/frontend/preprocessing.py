# SPDX-License-Identifier: Apache-2.0
"""How pixels become the numbers a model was trained on."""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from hwgen.errors import ModelError

_LOG = logging.getLogger(__name__)

MEAN_KEY = "hwgen.mean"
STD_KEY = "hwgen.std"


class Preprocessing(NamedTuple):
    """``(pixel / 255 - mean) / std``, one number per channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET = Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
GREY = Preprocessing((0.5,), (0.5,))


def preprocessing_of(
    metadata: Mapping[str, str],
    channels: int,
    path: Path,
    given: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
) -> Preprocessing:
    """The preprocessing to use: ``given``, else the file's metadata, else the usual values.

    Raises ModelError when the numbers cannot be read or do not fit ``channels``.
    """
    if given is not None:
        return _checked(
            Preprocessing(*map(tuple, given)),
            channels,
            "the given normalisation (input.mean, input.std)",
        )
    if MEAN_KEY in metadata and STD_KEY in metadata:
        numbers = Preprocessing(*(_numbers(metadata[k], k, path) for k in (MEAN_KEY, STD_KEY)))
        return _checked(numbers, channels, f"{path} (metadata {MEAN_KEY}, {STD_KEY})")
    usual = {1: GREY, 3: IMAGENET}.get(channels)
    if usual is None:
        raise ModelError(
            f"{path}: the model takes {channels} channels and does not say how its pixels are "
            f"normalised; set input.mean and input.std in the configuration, {channels} numbers "
            f"each, or write them into the file's metadata as {MEAN_KEY} and {STD_KEY}."
        )
    _LOG.warning(
        "%s does not say how its pixels are normalised; taking mean %s and standard deviation %s.",
        path,
        usual.mean,
        usual.std,
    )
    return usual


def _numbers(text: str, key: str, path: Path) -> tuple[float, ...]:
    """Reads ``0.5, 0.4`` or ``[0.5, 0.4]``."""
    try:
        return tuple(float(number) for number in json.loads(f"[{text.strip().strip('[]()')}]"))
    except (ValueError, TypeError):
        raise ModelError(
            f"{path}: metadata {key} is {text!r}; it must be numbers with commas between them, "
            "one per channel."
        ) from None


def _checked(numbers: Preprocessing, channels: int, where: str) -> Preprocessing:
    if any(len(part) != channels for part in numbers):
        raise ModelError(
            f"{where}: {len(numbers.mean)} numbers for the mean and {len(numbers.std)} for the "
            f"standard deviation, but the model takes {channels} channels; give one per channel."
        )
    if not all(map(math.isfinite, numbers.mean)) or not all(0 < s < math.inf for s in numbers.std):
        raise ModelError(
            f"{where}: mean {numbers.mean} and standard deviation {numbers.std}; they must be "
            "finite, and the standard deviation above zero."
        )
    return numbers
