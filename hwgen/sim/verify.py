# SPDX-License-Identifier: Apache-2.0
"""Compares C simulation with the reference interpreter, bit for bit."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hwgen.emit.testbench_data import golden_trace
from hwgen.errors import VerificationError
from hwgen.golden.interpreter import EngineFault, Interpreter
from hwgen.program.program import Program
from hwgen.program.status import MEANING, ErrorCode
from hwgen.sim.csim import CsimResult, Progress, run_csim, trace_csim


def verify_csim(
    source: Path | Mapping[str, bytes],
    program: Program,
    beats: np.ndarray,
    *,
    expected: np.ndarray | None = None,
    trace: bool = False,
    progress: Progress | None = None,
) -> CsimResult:
    """Runs C simulation on images and demands the outputs of the reference interpreter.

    Args:
        source, beats: as for ``run_csim``.
        expected: outputs of the reference interpreter, where the caller has them already.
        trace: also compare what every instruction writes, on the first image.

    Raises:
        VerificationError: a difference; the message names the first one, by instruction.
        ToolError, DataError: as for ``run_csim``.
    """
    result = run_csim(source, program, beats, progress=progress)
    try:
        if expected is None:
            expected = Interpreter(program).run_all(beats)
    except EngineFault as fault:
        wrong = np.flatnonzero(result.errors != fault.code)
        if len(wrong):
            raise VerificationError(_codes(result.errors, int(wrong[0]), fault.code)) from None
        return result
    wrong = np.flatnonzero(result.errors != ErrorCode.NONE)
    if len(wrong):
        image = int(wrong[0])
        place = _first_difference(source, program, beats, image)
        raise VerificationError(f"{_codes(result.errors, image, ErrorCode.NONE)} First: {place}.")
    wrong = np.flatnonzero((result.outputs != expected).any(axis=(1, 2)))
    if len(wrong):
        image = int(wrong[0])
        place = _first_difference(source, program, beats, image) or _output_difference(
            expected[image], result.outputs[image], image
        )
        raise VerificationError(
            f"C simulation differs from the reference interpreter in {len(wrong)} of "
            f"{len(beats)} images. First: {place}."
        )
    place = _first_difference(source, program, beats, 0) if trace else None
    if place:
        raise VerificationError(
            f"C simulation differs from the reference interpreter inside the run: {place}. "
            "The outputs are equal."
        )
    return result


def _first_difference(
    source: Path | Mapping[str, bytes], program: Program, beats: np.ndarray, image: int
) -> str | None:
    """The first instruction that differs on one image, as text."""
    one = beats[image : image + 1]
    _, values = golden_trace(program, one)
    return trace_csim(source, program, one, values, image=image)


def _output_difference(expected: np.ndarray, found: np.ndarray, image: int) -> str:
    vector, lane = (int(axis[0]) for axis in np.nonzero(expected != found))
    return (
        f"image {image}, output vector {vector}, lane {lane}: expected "
        f"{expected[vector, lane]}, found {found[vector, lane]}; run alone, every instruction is "
        "equal, so the output depends on earlier images"
    )


def _codes(errors: np.ndarray, image: int, expected: ErrorCode) -> str:
    code = int(errors[image])
    meaning = MEANING[ErrorCode(code)] if code in set(ErrorCode) else "an unknown code"
    return (
        f"C simulation of image {image} ended with error code {code} ({meaning}); the reference "
        f"interpreter ends with {int(expected)} ({MEANING[expected]})."
    )
