# SPDX-License-Identifier: Apache-2.0
"""Compares the executors of a design with each other and with the float model."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hwgen.data_files import Data
from hwgen.errors import DataError
from hwgen.estimate.timing import Timing
from hwgen.golden.interpreter import Interpreter, batches
from hwgen.golden.selections import Selections
from hwgen.program.instructions import End, SetTokens
from hwgen.program.program import Program
from hwgen.progress import Progress
from hwgen.report.pruning import Run, run_cycles
from hwgen.report.schema import (
    CsimResult,
    Fidelity,
    MeasuredInstruction,
    RtlResult,
    TimelineSlice,
)
from hwgen.sim.rtl import Memory
from hwgen.sim.rtl_build import Options, compile_rtl
from hwgen.sim.timeline import Timeline
from hwgen.sim.verify import verify_csim
from hwgen.sim.verify_rtl import verify_rtl
from hwgen.source import Logits

Level = Literal["golden", "csim", "rtl"]

CLOCKS_MHZ = (150, 200, 300)
"""Clocks for which the report gives images per second."""


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
        csim: what C simulation compared; None at other levels than ``csim``.
        rtl: what RTL simulation compared and measured; None at other levels than ``rtl``.
    """

    level: Level
    real: bool
    fidelity: Fidelity
    int8: np.ndarray
    float_: np.ndarray
    csim: CsimResult | None
    rtl: RtlResult | None = None


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


def golden(
    program: Program, images: np.ndarray, progress: Progress, selections: Selections | None = None
) -> np.ndarray:
    """The reference interpreter's output, int16 (runs, vectors, lanes), for uint8 images (N, ...).

    Args:
        selections: collects what token selections do.

    Raises:
        DataError: the images do not fit the program's input, or there is none.
    """
    beats = program.input.pack(images, program.engine.lanes)
    if not len(beats):
        raise DataError("No image was given; at least one is needed.")
    interpreter, counted = Interpreter(program), _in_images(progress, program, len(images))

    def run(part: np.ndarray) -> np.ndarray:
        return interpreter.run(part, selection=selections)

    return np.concatenate(list(_stages("int8", run, beats, counted)))


def prediction(program: Program, output: np.ndarray, count: int) -> Prediction:
    """Class scores of ``count`` images from the output regions, int16 (runs, vectors, lanes)."""
    integers = class_integers(program, output, count)
    scores = integers.astype(np.float32) * np.float32(program.output.scale)
    return Prediction(scores, integers.argmax(axis=1))


def class_integers(program: Program, output: np.ndarray, count: int) -> np.ndarray:
    """The engine's own scores of ``count`` images, int16 (count, classes), from the output
    regions, int16 (runs, vectors, lanes).
    """
    rows = program.output.unpack(output)
    images = rows.reshape(len(rows) * program.input.batch, -1, program.output.columns)
    return images[:count, 0]


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
    """Runs the HLS C++ on ``images``: outputs of all, every instruction's results of the
    first run.

    Args:
        source: the design folder, or the files of ``hls_project``.
        expected: the reference interpreter's outputs of all runs.

    Raises:
        VerificationError: names the first difference.
        ToolError: no compiler, or it failed.
    """
    counted = _in_images(progress, program, len(images))
    counted("C simulation", 0, 1)
    verify_csim(
        source,
        program,
        program.input.pack(images, program.engine.lanes),
        expected=expected,
        trace=True,
        progress=lambda done, total: counted("C simulation", done, total),
    )
    compared = sum(not isinstance(op, End | SetTokens) for op in program.instructions)
    return CsimResult(images=len(images), instructions=compared)


def compare_rtl(
    files: Mapping[str, bytes],
    options: Options,
    memory: Memory,
    program: Program,
    images: np.ndarray,
    expected: np.ndarray,
    macs: int,
    progress: Progress,
    waves: Path | None = None,
    selections: Sequence[Run] = (),
) -> tuple[RtlResult, Timeline]:
    """Compiles the RTL, runs it on ``images`` and compares the outputs of all.

    Args:
        files: from ``read_rtl``.
        expected: the reference interpreter's outputs of all runs.
        macs: multiplications of one image, for the utilisation.
        waves: file for the signals, where ``options`` asks for them.
        selections: what token selections did in each run.

    Raises:
        VerificationError: names the first difference.
        ToolError: a tool is missing or failed.
    """
    progress("compiling RTL", 0, 0)
    simulator = compile_rtl(files, options, lambda n, total: progress("compiling RTL", n, total))
    beats = program.input.pack(images, program.engine.lanes)
    progress("RTL cycles", 0, 0)
    found = verify_rtl(
        simulator,
        program,
        beats,
        expected,
        memory=memory,
        progress=lambda done, total: progress("RTL cycles", done, total),
        waves=waves,
    )
    cycles, timeline, batch = found.cycles[0], found.timeline, program.input.batch
    stalls: Counter[str] = Counter()
    for share in timeline.shares:
        stalls.update({str(cause): count for cause, count in share.stalls.items()})
    result = RtlResult(
        images=len(images),
        array="twin" if options.twin else "faithful",
        memory=str(memory),
        cycles=cycles,
        slowest=max(found.cycles),
        bytes_moved=16 * found.words[0],
        utilisation=batch * macs / (cycles * program.engine.lanes**2),
        fps={str(clock): batch * clock * 1e6 / cycles for clock in CLOCKS_MHZ},
        busy=sum(share.busy for share in timeline.shares),
        stalls=dict(stalls),
        instructions=tuple(
            MeasuredInstruction(
                cycles=share.cycles,
                stalls={str(cause): count for cause, count in share.stalls.items()},
            )
            for share in timeline.shares
        ),
        timeline=tuple(TimelineSlice(**vars(part)) for part in timeline.slices),
        runs=run_cycles(
            program, Timing(memory.bytes_per_cycle, memory.latency), selections, found.cycles
        ),
    )
    return result, timeline


def _in_images(progress: Progress, program: Program, images: int) -> Progress:
    """``progress`` for something that counts runs."""
    batch = program.input.batch
    return lambda name, done, _total: progress(name, min(done * batch, images), images)


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
