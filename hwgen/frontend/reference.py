# SPDX-License-Identifier: Apache-2.0
"""The original model in onnxruntime: what every other result is compared with."""

from pathlib import Path

import numpy as np
import onnxruntime

from hwgen.errors import ModelError
from hwgen.frontend.preprocessing import preprocessing_of
from hwgen.frontend.read import image_shape, read
from hwgen.ir.evaluate import normalise_pixels
from hwgen.ir.graph import ImageInput

_BATCH = 16


class FloatReference:
    """An ONNX file run by onnxruntime on the CPU.

    Raises ModelError when onnxruntime refuses the file.
    """

    def __init__(self, path: Path, image: ImageInput, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exception classes have no public common base
            raise ModelError(
                f"{path}: onnxruntime refuses the model: {error}. Export it again and check it "
                "with onnx.checker."
            ) from error
        self._path = path
        self._image = image
        (tensor,) = self._session.get_inputs()
        self._input = tensor.name
        self._fixed_batch = tensor.shape[0] if isinstance(tensor.shape[0], int) else None

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Class scores, float32 (images, classes), for uint8 (images, height, width, channels).

        Raises DataError when the images do not fit the model, ModelError when onnxruntime fails.
        """
        pixels = normalise_pixels(self._image, images).transpose(0, 3, 1, 2)
        step = self._fixed_batch or _BATCH
        parts = [self._run(pixels[start : start + step]) for start in range(0, len(pixels), step)]
        return np.concatenate(parts)

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        """One call; a fixed batch larger than the images left is filled up with zeros."""
        missing = (self._fixed_batch or len(pixels)) - len(pixels)
        filled = np.pad(pixels, ((0, missing), (0, 0), (0, 0), (0, 0)))
        try:
            output = self._session.run(None, {self._input: np.ascontiguousarray(filled)})[0]
        except Exception as error:
            raise ModelError(
                f"{self._path}: onnxruntime fails on {len(filled)} images: {error}. If the model "
                "was traced, a batch size may be fixed inside it; export it again with the batch "
                "dynamic."
            ) from error
        return np.asarray(output, np.float32)[: len(pixels)]


def float_reference(
    path: str | Path,
    preprocessing: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
    *,
    threads: int = 1,
) -> FloatReference:
    """The model in the ONNX file ``path`` as it is, with pixels normalised as ``load`` would.

    Raises ModelError when the file is missing, damaged or refused by onnxruntime.
    """
    path = Path(path)
    model = read(path)
    _, channels, height, width = image_shape(model, path)
    chosen = preprocessing_of(model.metadata_props, channels, path, preprocessing)
    image = ImageInput("images", height, width, channels, chosen.mean, chosen.std)
    return FloatReference(path, image, threads=threads)
