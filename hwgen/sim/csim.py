# SPDX-License-Identifier: Apache-2.0
"""C simulation: the emitted HLS engine, compiled with a C++ compiler, on many images."""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgen.emit.testbench_data import Written, bench_files
from hwgen.errors import DataError, ToolError
from hwgen.program.program import Program
from hwgen.sim.csim_build import compile_sources, read_sources, select_sources
from hwgen.sim.process import Finished, last_lines, run_process
from hwgen.sim.toolchain import find_toolchain

Progress = Callable[[int, int], None]
"""Called with the number of runs done and of all runs."""

RUN_TIMEOUT_S = 3600.0

_EQUAL, _DIFFERENT, _STOPPED = 0, 1, 3
"""Exit codes of the test bench."""
_DONE = re.compile(r"done: (\d+) of (\d+)")
_DIFFERENCE = re.compile(r"(?:mismatch|stopped): (.*)")


@dataclass(frozen=True, eq=False)
class CsimResult:
    """What the engine did.

    Attributes:
        outputs: int16 (runs, vectors, lanes).
        errors: the engine's error code for each run, uint32 (runs,).
    """

    outputs: np.ndarray
    errors: np.ndarray


def compile_csim(source: Path | Mapping[str, bytes]) -> Path:
    """The compiled test bench of an HLS project: a build folder, or files of ``hls_project``.

    Raises:
        ToolError: no compiler or headers, or the compiler failed.
    """
    sources = read_sources(source) if isinstance(source, Path) else select_sources(source)
    return compile_sources(sources, find_toolchain())


def run_csim(
    source: Path | Mapping[str, bytes],
    program: Program,
    beats: np.ndarray,
    *,
    progress: Progress | None = None,
    timeout_s: float = RUN_TIMEOUT_S,
) -> CsimResult:
    """Runs the engine.

    Args:
        source: a build folder (or its ``hls/``), or the files of ``hls_project``, for the engine
            configuration of ``program``.
        beats: input of each run, uint8 (runs, beats, lanes), from ``InputLayout.pack``.

    Raises:
        ToolError: a tool is missing, failed, crashed or took too long.
        DataError: no run.
    """
    if not len(beats):
        raise DataError("C simulation needs at least one image; none was given.")
    executable = compile_csim(source)
    vectors, lanes = program.output.vectors(program.engine.lanes), program.engine.lanes
    record = np.dtype([("error", "<u4"), ("output", "<i2", (vectors, lanes))])
    with tempfile.TemporaryDirectory(prefix="hwgen-csim-") as scratch:
        result = Path(scratch) / "result.bin"
        finished = _run(
            executable,
            bench_files(program, beats),
            Path(scratch),
            ["--result", result],
            progress,
            timeout_s,
        )
        if finished.code != _EQUAL:
            raise _crashed(finished)
        records = np.fromfile(result, record)
    if len(records) != len(beats):
        raise ToolError(
            f"C simulation of {len(beats)} runs left results of {len(records)}."
            f"{last_lines(finished.tail)}"
        )
    return CsimResult(outputs=records["output"], errors=records["error"])


def trace_csim(
    source: Path | Mapping[str, bytes],
    program: Program,
    beats: np.ndarray,
    trace: Sequence[Written],
    *,
    run: int = 0,
    timeout_s: float = RUN_TIMEOUT_S,
) -> str | None:
    """Runs once and compares what every instruction writes with ``trace``.

    Args:
        beats: uint8 (1, beats, lanes).
        trace: from ``golden_trace``.
        run: the number that the result gives this run.

    Returns:
        The first difference in order of instructions, as in "image 0, instruction 12 (block 1
        fc1), slice 0, row 4, lane 7: expected 12, found -3"; None if there is none.

    Raises:
        ToolError: as for ``run_csim``.
    """
    executable = compile_csim(source)
    files = bench_files(program, beats, first_run=run, trace=trace)
    with tempfile.TemporaryDirectory(prefix="hwgen-csim-") as scratch:
        finished = _run(executable, files, Path(scratch), [], None, timeout_s)
    if finished.code == _EQUAL:
        return None
    found = _DIFFERENCE.fullmatch(finished.tail[-1]) if finished.tail else None
    if finished.code in (_DIFFERENT, _STOPPED) and found:
        return found[1]
    raise _crashed(finished)


def _run(
    executable: Path,
    files: Mapping[str, bytes],
    scratch: Path,
    arguments: Sequence[str | Path],
    progress: Progress | None,
    timeout_s: float,
) -> Finished:
    data = scratch / "data"
    data.mkdir()
    for name, content in files.items():
        (data / name).write_bytes(content)

    def on_line(line: str) -> None:
        found = _DONE.fullmatch(line)
        if found and progress is not None:
            progress(int(found[1]), int(found[2]))

    return run_process(
        [executable, "--data", data, *arguments],
        what="C simulation",
        timeout_s=timeout_s,
        on_line=on_line,
    )


def _crashed(finished: Finished) -> ToolError:
    if finished.code < 0:
        how = f"was ended by signal {-finished.code}"
    else:
        how = f"ended with exit code {finished.code}"
    return ToolError(f"C simulation {how}.{last_lines(finished.tail)}")
