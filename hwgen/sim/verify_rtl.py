# SPDX-License-Identifier: Apache-2.0
"""Compares RTL simulation with the reference interpreter, bit for bit."""

from pathlib import Path

import numpy as np

from hwgen.errors import VerificationError
from hwgen.program.program import Program
from hwgen.program.status import MEANING, ErrorCode
from hwgen.sim.rtl import DEFAULT_MEMORY, Memory, Progress, RtlResult, run_rtl


def verify_rtl(
    simulator: Path,
    program: Program,
    beats: np.ndarray,
    expected: np.ndarray,
    *,
    memory: Memory = DEFAULT_MEMORY,
    progress: Progress | None = None,
    waves: Path | None = None,
) -> RtlResult:
    """Runs the RTL and demands the outputs of the reference interpreter.

    Args:
        simulator, beats, memory, waves: as for ``run_rtl``.
        expected: outputs of the reference interpreter, int16 (runs, vectors, lanes).

    Raises:
        VerificationError: a difference; the message names the first one.
        ToolError, DataError: as for ``run_rtl``.
    """
    result = run_rtl(simulator, program, beats, memory=memory, progress=progress, waves=waves)
    failed = [run for run, code in enumerate(result.errors) if code != ErrorCode.NONE]
    if failed:
        code = result.errors[failed[0]]
        meaning = MEANING[ErrorCode(code)] if code in set(ErrorCode) else "an unknown code"
        raise VerificationError(
            f"RTL simulation of {program.input.run_name(failed[0])} ended with error code {code} "
            f"({meaning}); the reference interpreter ends without one."
        )
    wrong = np.argwhere(result.outputs != expected)
    if len(wrong):
        run, vector, lane = map(int, wrong[0])
        runs = len({int(index) for index in wrong[:, 0]})
        raise VerificationError(
            f"RTL simulation differs from the reference interpreter in {runs} of {len(beats)} "
            f"runs. First: {program.input.run_name(run)}, output vector {vector}, lane {lane}: "
            f"expected {expected[run, vector, lane]}, found {result.outputs[run, vector, lane]}."
        )
    return result
