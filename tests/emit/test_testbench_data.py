# SPDX-License-Identifier: Apache-2.0
"""The test bench's data agree with what the reference interpreter does."""

from collections.abc import Callable

import numpy as np

from hwgen.emit.testbench_data import bench_files, destinations, golden_trace
from hwgen.golden.interpreter import Interpreter
from hwgen.program.extent import Extent
from hwgen.program.program import Program

Images = Callable[..., np.ndarray]


def test_destinations_are_those_of_the_interpreter(program: Program, make_images: Images) -> None:
    seen: dict[int, Extent] = {}
    Interpreter(program).run(
        make_images(1, program), lambda index, extent, _: seen.update({index: extent})
    )
    expected = [seen.get(index) for index in range(len(program.instructions))]
    assert destinations(program) == expected


def test_rows_that_depend_on_the_image_are_those_of_the_traced_run(
    selecting_program: Program, make_images: Images
) -> None:
    program = selecting_program
    beats = make_images(12, program)
    index = program.labels.index("selection")
    counts = []
    for run in range(len(beats)):
        _, trace = golden_trace(program, beats[run : run + 1])
        files = bench_files(program, beats[run : run + 1], trace=trace)
        line = files["instructions.txt"].decode().splitlines()[index].split()
        selection = next(item for item in trace if item.index == index)
        assert line[:5] == [str(index), "0", "0", "5", "2"] and line[6] == "selection"
        assert int(line[5]) == selection.extent.rows == selection.vectors.shape[1]
        assert len(files["trace.bin"]) == sum(2 * item.vectors.size for item in trace)
        counts.append(int(line[5]))
    assert min(counts) < max(counts)
    most = destinations(program)[index]
    assert most is not None and most.rows == 5


def test_files(program: Program, make_images: Images) -> None:
    beats = make_images(2, program)
    output, trace = golden_trace(program, beats[:1])
    files = bench_files(
        program, beats, first_run=7, expected=np.repeat(output, 2, axis=0), trace=trace
    )
    assert files["run.txt"] == b"runs 2\nfirst_run 7\nbatch 1\noutput_vectors 1\n"
    lines = files["instructions.txt"].decode().splitlines()
    assert lines[0] == "0 -1 0 0 0 0 rows"
    assert lines[3] == "3 0 0 5 2 5 embed"
    assert lines[10] == "10 3 0 1 1 1 head"
    assert len(files["expected.bin"]) == 2 * 16 * 2
    values = sum(e.slices * e.rows for e in destinations(program) if e) * 16
    assert len(files["trace.bin"]) == 2 * values
    assert files["trace.bin"].endswith(output.tobytes())
    assert set(bench_files(program, beats)) == set(files) - {"expected.bin", "trace.bin"}
