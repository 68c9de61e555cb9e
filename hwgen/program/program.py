# SPDX-License-Identifier: Apache-2.0
"""A Program: instructions, the weight stream, and what its input and output mean."""

from dataclasses import dataclass

import numpy as np

from hwgen.errors import DataError, ProgramError
from hwgen.program.engine import PROGRAM_VERSION, EngineConfig
from hwgen.program.fields import WORDS
from hwgen.program.instructions import Instruction, decode, encode

MAGIC = 0x4E475748  # "HWGN" in little-endian bytes

PARAMETER_BYTES = 8
"""A channel's bias (int32), multiplier (uint16), shift (uint8) and a zero byte."""


@dataclass(frozen=True)
class InputLayout:
    """How images become input beats: uint8 patches, one row a patch, columns in slices.

    A run takes ``batch`` images; their beats lie one image after the other.
    """

    height: int
    width: int
    channels: int
    patch: int
    batch: int = 1

    @property
    def rows(self) -> int:
        """Patches of an image."""
        return (self.height // self.patch) * (self.width // self.patch)

    @property
    def columns(self) -> int:
        return self.patch * self.patch * self.channels

    def slices(self, lanes: int) -> int:
        return -(-self.columns // lanes)

    def beats(self, lanes: int) -> int:
        """Beats of the input region."""
        return self.batch * self.rows * self.slices(lanes)

    def run_name(self, run: int) -> str:
        """How messages call a run: by its images, as in "run 1 (images 4 to 7)"."""
        if self.batch == 1:
            return f"image {run}"
        return f"run {run} (images {run * self.batch} to {(run + 1) * self.batch - 1})"

    def pack(self, images: np.ndarray, lanes: int) -> np.ndarray:
        """uint8 images (N, H, W, C) or (N, H, W) as beats, uint8 (runs, batch * slices * rows,
        lanes). Where the last run lacks images the last image is repeated.

        Raises:
            DataError: another dtype or shape.
        """
        expected = (self.height, self.width, self.channels)
        if images.ndim == 3 and self.channels == 1:
            images = images[..., None]
        if images.dtype != np.uint8 or images.shape[1:] != expected:
            raise DataError(
                f"Images of shape {images.shape} and type {images.dtype} were given; this model "
                f"takes uint8 images of shape (N, {self.height}, {self.width}, {self.channels})."
            )
        missing = -len(images) % self.batch
        images = np.concatenate([images, np.repeat(images[-1:], missing, axis=0)])
        count, p = len(images), self.patch
        patches = images.reshape(
            count, self.height // p, p, self.width // p, p, self.channels
        ).transpose(0, 1, 3, 2, 4, 5)
        beats = np.full((count, self.rows, self.slices(lanes) * lanes), 128, np.uint8)
        beats[..., : self.columns] = patches.reshape(count, self.rows, self.columns)
        slices = self.slices(lanes)
        beats = beats.reshape(count, self.rows, slices, lanes).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(beats).reshape(-1, self.beats(lanes), lanes)


@dataclass(frozen=True)
class OutputLayout:
    """The output region: int16 vectors, ``rows`` of each slice of columns in turn.

    The rows are those of all images of a run, one image after the other.
    """

    rows: int
    columns: int
    scale: float

    def vectors(self, lanes: int) -> int:
        return self.rows * -(-self.columns // lanes)

    def unpack(self, vectors: np.ndarray) -> np.ndarray:
        """int16 (runs, vectors, lanes) as int16 (runs, rows, columns)."""
        count, _, lanes = vectors.shape
        slices = vectors.reshape(count, -1, self.rows, lanes).transpose(0, 2, 1, 3)
        return slices.reshape(count, self.rows, -1)[..., : self.columns]


@dataclass(frozen=True, eq=False)
class Program:
    """Everything an executor needs, for one engine configuration.

    Attributes:
        instructions: ends with ``End``.
        labels: one name per instruction, for people ("block 3 fc1").
        weights: uint8 (beats, lanes): constants, parameters and weight tiles in the order of use.
    """

    name: str
    engine: EngineConfig
    instructions: tuple[Instruction, ...]
    labels: tuple[str, ...]
    weights: np.ndarray
    input: InputLayout
    output: OutputLayout
    classes: tuple[str, ...] = ()

    @property
    def image(self) -> np.ndarray:
        """The binary program, uint32 (n, 16): a header, then one record per instruction."""
        header = np.zeros(WORDS, np.uint32)
        header[:4] = (MAGIC, PROGRAM_VERSION, self.engine.digest, len(self.instructions))
        lanes = self.engine.lanes
        header[4:7] = (len(self.weights), self.input.beats(lanes), self.output.vectors(lanes))
        return np.stack([header, *(encode(i) for i in self.instructions)])


def decode_image(image: np.ndarray, engine: EngineConfig) -> tuple[Instruction, ...]:
    """The instructions of a binary program, uint32 (n, 16).

    Raises:
        ProgramError: wrong magic, version, engine digest or length.
    """
    magic, version, digest, count = (int(word) for word in image[0][:4])
    if magic != MAGIC or version != PROGRAM_VERSION:
        raise ProgramError(
            f"Not a hwgen program of version {PROGRAM_VERSION}: it starts with {magic:#010x}, "
            f"version {version}. Build it again with this hwgen."
        )
    if digest != engine.digest:
        raise ProgramError(
            f"The program was made for engine {digest:#010x}, this one is {engine.digest:#010x}. "
            "Build the model for this engine's configuration."
        )
    if len(image) != count + 1:
        raise ProgramError(
            f"The program announces {count} instructions and holds {len(image) - 1}: it is damaged."
        )
    return tuple(decode(words) for words in image[1:])
