# SPDX-License-Identifier: Apache-2.0
"""Read labelled 28x28 grey-scale images from an .npz file or an IDX folder."""

import gzip
import struct
from pathlib import Path

import numpy as np

MEAN = 0.2860  # of the training pixels, on the 0..1 scale
STD = 0.3530
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def read_idx(path: Path) -> np.ndarray:
    """Return the uint8 array held in one IDX file (plain or gzip)."""
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    zero, kind, ndim = struct.unpack(">HBB", raw[:4])
    if zero != 0 or kind != 8:
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    shape = struct.unpack(f">{ndim}I", raw[4 : 4 + 4 * ndim])
    data = np.frombuffer(raw, np.uint8, offset=4 + 4 * ndim)
    if data.size != int(np.prod(shape)):
        raise ValueError(f"{path}: {data.size} bytes of data, {int(np.prod(shape))} announced")
    return data.reshape(shape)


def _read_idx_folder(folder: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    found = {}
    for path in sorted(folder.iterdir()):
        stem = path.name.removesuffix(".gz")
        if not stem.startswith(prefix):
            continue
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            if stem.endswith(kind):
                found[kind] = path
    if len(found) != 2:
        raise FileNotFoundError(f"{folder}: no {prefix}*-images-idx3-ubyte[.gz] with its labels")
    return (read_idx(found["images-idx3-ubyte"]), read_idx(found["labels-idx1-ubyte"]))


def load(path: str | Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (images uint8 [N, 28, 28], labels int64 [N]).

    `path` is an .npz with the keys `images` and `labels`, or a folder of IDX
    files, in which the ones starting with `prefix` ("train", "t10k") are read.
    """
    path = Path(path)
    if path.is_dir():
        images, labels = _read_idx_folder(path, prefix)
    else:
        with np.load(path) as archive:
            images, labels = archive["images"], archive["labels"]
    if (
        images.ndim != 3
        or images.shape[1:] != (28, 28)
        or images.dtype != np.uint8
        or len(images) != len(labels)
    ):
        raise ValueError(f"{path}: expected N uint8 images of 28x28, N labels")
    return np.ascontiguousarray(images), labels.astype(np.int64)


def normalise(images: np.ndarray) -> np.ndarray:
    """uint8 [N, 28, 28] -> float32 [N, 1, 28, 28], as the model takes it."""
    scaled = images.astype(np.float32) / np.float32(255)
    return ((scaled - np.float32(MEAN)) / np.float32(STD))[:, None]
