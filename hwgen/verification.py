# SPDX-License-Identifier: Apache-2.0
"""Compares the executors of a design with each other and with the float model."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hwgen.data_files import Data
from hwgen.errors import DataError
from hwgen.golden.interpreter import Interpreter, batches
from hwgen.program.instructions import End, SetTokens
from hwgen.program.program import Program
from hwgen.progress import Progress
from hwgen.report.schema import CsimResult, Fidelity
from hwgen.sim.verify import verify_csim
from hwgen.source import Logits

Level = Literal["golden", "csim"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """``logits`` float32 (N, classes) and the classes chosen, ``labels`` int64 (N,)."""

    logits: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Verification:
    """What a verification found.

    Attributes:
        real: whether the images were given; False: they were random pixels.
        int8, float_: classes chosen by the program and by the float model, int64 (N,).
        csim: what C simulation compared; None at level ``golden``.
    """

    level: Level
    real: bool
    fidelity: Fidelity
    int8: np.ndarray
    float_: np.ndarray
    csim: CsimResult | None


def check_labels(data: Data, classes: int) -> None:
    """Refuses labels beyond the model's classes.

    Raises:
        DataError: names the label and the number of classes.
    """
    if data.labels is not None and data.labels.max() >= classes:
        raise DataError(
            f"The data holds the label {data.labels.max()}; the model has {classes} classes, "
            f"numbered from 0 to {classes - 1}. Give data of the model's own task."
        )


def golden(program: Program, images: np.ndarray, progress: Progress) -> np.ndarray:
    """The reference interpreter's output, int16 (N, vectors, lanes), for uint8 images.

    Raises:
        DataError: the images do not fit the program's input, or there is none.
    """
    beats = program.input.pack(images, program.engine.lanes)
    if not len(beats):
        raise DataError("No image was given; at least one is needed.")
    run = Interpreter(program).run
    return np.concatenate(list(_stages("int8", run, beats, progress)))


def prediction(program: Program, output: np.ndarray) -> Prediction:
    """Class scores of an output region, int16 (N, vectors, lanes)."""
    integers = program.output.unpack(output)[:, 0]
    scores = integers.astype(np.float32) * np.float32(program.output.scale)
    return Prediction(scores, integers.argmax(axis=1))


def float_classes(logits: Logits, images: np.ndarray, progress: Progress) -> np.ndarray:
    """Classes that the float model chooses, int64 (N,)."""
    scores = _stages("float", logits, images, progress)
    return np.concatenate([part.argmax(axis=1) for part in scores])


def fidelity(data: Data, int8: np.ndarray, float_: np.ndarray) -> Fidelity:
    """Shares of images that are right, or (without labels) on which both agree."""
    agreement = float(np.mean(int8 == float_))
    if data.labels is None:
        return Fidelity(metric="agreement", agreement=agreement, images=len(data))
    return Fidelity(
        metric="top-1",
        float=float(np.mean(float_ == data.labels)),
        quantised=float(np.mean(int8 == data.labels)),
        agreement=agreement,
        images=len(data),
    )


def compare_csim(
    source: Path | dict[str, bytes],
    program: Program,
    images: np.ndarray,
    expected: np.ndarray,
    progress: Progress,
) -> CsimResult:
    """Runs the HLS C++ on ``images``: outputs of all, every instruction's results of the first.

    Args:
        source: the design folder, or the files of ``hls_project``.
        expected: the reference interpreter's outputs.

    Raises:
        VerificationError: names the first difference.
        ToolError: no compiler, or it failed.
    """
    progress("C simulation", 0, len(images))
    verify_csim(
        source,
        program,
        program.input.pack(images, program.engine.lanes),
        expected=expected,
        trace=True,
        progress=lambda done, total: progress("C simulation", done, total),
    )
    compared = sum(not isinstance(op, End | SetTokens) for op in program.instructions)
    return CsimResult(images=len(images), instructions=compared)


def _stages(
    name: str, run: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray, progress: Progress
) -> Iterator[np.ndarray]:
    """``run`` on batch after batch of ``inputs``."""
    done = 0
    progress(name, 0, len(inputs))
    for part in batches(inputs):
        yield run(part)
        done += len(part)
        progress(name, done, len(inputs))
