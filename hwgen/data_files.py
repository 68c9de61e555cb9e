# SPDX-License-Identifier: Apache-2.0
"""Images with or without labels, from an npz file."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgen.errors import DataError

_FORM = (
    "A data file is made with numpy.savez(path, images=..., labels=...): images uint8 of shape "
    "(N, height, width) or (N, height, width, channels), labels (optional) N whole numbers."
)


@dataclass(frozen=True, eq=False)
class Data:
    """``images`` uint8 (N, height, width, channels), N >= 1; ``labels`` int64 (N,) or None."""

    images: np.ndarray
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    def first(self, count: int | None) -> "Data":
        """The first ``count`` images; all of them where ``count`` is None or larger."""
        labels = None if self.labels is None else self.labels[:count]
        return Data(self.images[:count], labels)


def load_data(path: str | Path) -> Data:
    """Reads an npz file.

    Raises:
        DataError: missing, no npz, no ``images``, wrong type or shape, empty, or labels that do
            not belong to the images.
    """
    path = Path(path)
    images, labels = _read(path)
    images = _check_images(images, path)
    return Data(images, None if labels is None else _check_labels(labels, len(images), path))


def _read(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"The data file {path} {what}. {_FORM}")
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no zip archive, or it is cut short")
        with np.load(path, allow_pickle=False) as archive:
            if "images" not in archive.files:
                found = ", ".join(sorted(archive.files)) or "nothing"
                raise DataError(f"{path} has no array 'images'; it holds {found}. {_FORM}")
            return archive["images"], archive.get("labels")
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).strip().rstrip(".")
        raise DataError(f"{path} cannot be read as an npz file ({reason}). {_FORM}") from None


def _check_images(images: np.ndarray, path: Path) -> np.ndarray:
    if images.dtype != np.uint8:
        raise DataError(
            f"The images in {path} are {images.dtype}; hwgen takes raw pixels, uint8 from 0 to "
            "255. The model's own normalisation is part of the accelerator: undo it first."
        )
    if images.ndim not in (3, 4):
        raise DataError(f"The images in {path} have shape {images.shape}. {_FORM}")
    if images.size == 0:
        raise DataError(f"{path} holds no images (shape {images.shape}). {_FORM}")
    return images[..., None] if images.ndim == 3 else images


def _check_labels(labels: np.ndarray, count: int, path: Path) -> np.ndarray:
    if labels.shape != (count,):
        raise DataError(
            f"{path} holds {count} images and labels of shape {labels.shape}; there must be one "
            f"label for each image, shape ({count},)."
        )
    if labels.dtype.kind not in "iu":
        raise DataError(
            f"The labels in {path} are {labels.dtype}; they must be whole numbers, the index of "
            "each image's class."
        )
    if labels.min() < 0:
        raise DataError(f"{path} holds the label {labels.min()}; classes count from 0.")
    if labels.max() > np.iinfo(np.int64).max:
        raise DataError(f"{path} holds the label {labels.max()}; no model has that many classes.")
    return labels.astype(np.int64)
