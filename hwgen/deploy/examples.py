# SPDX-License-Identifier: Apache-2.0
"""``examples.npz``: images, and what the accelerator must answer."""

import io

import numpy as np

from hwgen.archive import archive
from hwgen.data_files import Data
from hwgen.program.program import Program
from hwgen.progress import Progress
from hwgen.verification import check_labels, class_integers, golden

NAME = "examples.npz"


def examples(program: Program, data: Data, progress: Progress) -> bytes:
    """The file: ``images`` uint8 (N, H, W, C), ``labels`` int64 (N,) where ``data`` has them, and
    ``outputs`` int16 (N, classes), the integer reference's class scores.

    Raises:
        DataError: images or labels do not fit the model, or there is no image.
    """
    check_labels(data, program.output.columns)
    outputs = class_integers(program, golden(program, data.images, progress), len(data))
    arrays = {"images": data.images, "labels": data.labels, "outputs": outputs}
    # numpy.savez writes today's date into the file.
    return archive({f"{name}.npy": _npy(a) for name, a in arrays.items() if a is not None})


def random_images(program: Program, count: int) -> Data:
    """``count`` images of random pixels, the same each time."""
    source = program.input
    shape = (count, source.height, source.width, source.channels)
    return Data(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
