# SPDX-License-Identifier: Apache-2.0
"""The data files of the HLS test bench (``hls/tb_data/``): runs of one Program.

- ``run.txt``: lines of a name and a number: ``runs``, ``first_run`` (the number that messages give
  the first one), ``batch`` (images of a run), ``output_vectors``.
- ``instructions.txt``: one line an instruction: index; buffer (-1: writes nothing), address,
  stride, slices and rows of what it writes; its label. Rows and addresses that depend on the run
  are those of the first one where there is ``trace.bin``, otherwise the largest.
- ``program.bin``, ``weights.bin``: as in ``program/``.
- ``input.bin``: the striped input region of each run in turn.
- ``expected.bin``, optional: int16 output vectors of each run in turn.
- ``trace.bin``, optional: int16 values of everything that each instruction writes in the first
  run, in order: slices, rows, lanes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwgen.golden.interpreter import Interpreter
from hwgen.program.extent import Extent, writes
from hwgen.program.memory import stripe
from hwgen.program.program import Program
from hwgen.program.tokens import resolved


@dataclass(frozen=True, eq=False)
class Written:
    """What an instruction wrote in one run.

    Attributes:
        index: of the instruction.
        vectors: int16 (slices, rows, lanes).
    """

    index: int
    extent: Extent
    vectors: np.ndarray


def destinations(program: Program, trace: Sequence[Written] | None = None) -> list[Extent | None]:
    """What each instruction writes: in the run of ``trace``, or else with as many rows as it
    can.
    """
    if trace is None:
        return [writes(op) for op in resolved(program)]
    extents = {item.index: item.extent for item in trace}
    return [extents.get(index) for index in range(len(program.instructions))]


def golden_trace(program: Program, beats: np.ndarray) -> tuple[np.ndarray, list[Written]]:
    """Runs the reference interpreter once.

    Args:
        beats: uint8 (1, beats, lanes).

    Returns:
        The output, int16 (1, vectors, lanes), and what each instruction that writes has written.
    """
    trace: list[Written] = []
    output = Interpreter(program).run(
        beats,
        lambda index, extent, vectors: trace.append(
            Written(index, extent, vectors[0].astype(np.int16))
        ),
    )
    return output, trace


def bench_files(
    program: Program,
    beats: np.ndarray,
    *,
    first_run: int = 0,
    expected: np.ndarray | None = None,
    trace: Sequence[Written] | None = None,
) -> dict[str, bytes]:
    """The files of some runs.

    Args:
        beats: uint8 (runs, beats, lanes).
        expected: int16 (runs, vectors, lanes); without it nothing is compared.
        trace: from ``golden_trace``, for the first of the runs.
    """
    numbers = {
        "runs": len(beats),
        "first_run": first_run,
        "batch": program.input.batch,
        "output_vectors": program.output.vectors(program.engine.lanes),
    }
    files = {
        "run.txt": "".join(f"{name} {value}\n" for name, value in numbers.items()).encode(),
        "instructions.txt": _instructions(program, trace).encode(),
        "program.bin": program.image.astype("<u4").tobytes(),
        "weights.bin": stripe(program.weights).tobytes(),
        "input.bin": b"".join(stripe(run).tobytes() for run in beats),
    }
    if expected is not None:
        files["expected.bin"] = expected.astype("<i2").tobytes()
    if trace is not None:
        files["trace.bin"] = b"".join(item.vectors.astype("<i2").tobytes() for item in trace)
    return files


def _instructions(program: Program, trace: Sequence[Written] | None) -> str:
    lines = []
    pairs = zip(destinations(program, trace), program.labels, strict=True)
    for index, (extent, label) in enumerate(pairs):
        numbers = (-1, 0, 0, 0, 0)
        if extent is not None:
            numbers = (
                int(extent.buffer),
                extent.address,
                extent.stride,
                extent.slices,
                extent.rows,
            )
        lines.append(" ".join([*map(str, (index, *numbers)), *label.split()]) + "\n")
    return "".join(lines)
