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
    """Runs C simulation and demands the outputs of the reference interpreter.

    Args:
        source, beats: as for ``run_csim``.
        expected: outputs of the reference interpreter, where the caller has them already.
        trace: also compare what every instruction writes, in the first run.

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
            raise VerificationError(
                _codes(program, result.errors, int(wrong[0]), fault.code)
            ) from None
        return result
    wrong = np.flatnonzero(result.errors != ErrorCode.NONE)
    if len(wrong):
        run = int(wrong[0])
        place = _first_difference(source, program, beats, run)
        message = _codes(program, result.errors, run, ErrorCode.NONE)
        raise VerificationError(f"{message} First: {place}.")
    wrong = np.flatnonzero((result.outputs != expected).any(axis=(1, 2)))
    if len(wrong):
        run = int(wrong[0])
        place = _first_difference(source, program, beats, run) or _output_difference(
            program, expected[run], result.outputs[run], run
        )
        batch = program.input.batch
        runs = "images" if batch == 1 else f"runs of {batch} images"
        raise VerificationError(
            f"C simulation differs from the reference interpreter in {len(wrong)} of "
            f"{len(beats)} {runs}. First: {place}."
        )
    place = _first_difference(source, program, beats, 0) if trace else None
    if place:
        raise VerificationError(
            f"C simulation differs from the reference interpreter inside the run: {place}. "
            "The outputs are equal."
        )
    return result


def _first_difference(
    source: Path | Mapping[str, bytes], program: Program, beats: np.ndarray, run: int
) -> str | None:
    """The first instruction that differs in one run, as text."""
    one = beats[run : run + 1]
    _, values = golden_trace(program, one)
    return trace_csim(source, program, one, values, run=run)


def _output_difference(program: Program, expected: np.ndarray, found: np.ndarray, run: int) -> str:
    vector, lane = (int(axis[0]) for axis in np.nonzero(expected != found))
    rows, batch = program.output.rows, program.input.batch
    image = f"image {run * batch + vector % rows * batch // rows}"
    place = image if batch == 1 else f"{image} (run {run})"
    return (
        f"{place}, output vector {vector}, lane {lane}: expected "
        f"{expected[vector, lane]}, found {found[vector, lane]}; run alone, every instruction is "
        "equal, so the output depends on earlier runs"
    )


def _codes(program: Program, errors: np.ndarray, run: int, expected: ErrorCode) -> str:
    code = int(errors[run])
    meaning = MEANING[ErrorCode(code)] if code in set(ErrorCode) else "an unknown code"
    return (
        f"C simulation of {program.input.run_name(run)} ended with error code {code} ({meaning}); "
        f"the reference interpreter ends with {int(expected)} ({MEANING[expected]})."
    )
