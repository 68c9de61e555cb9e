# SPDX-License-Identifier: Apache-2.0
"""The emitted engine, compiled and run, against the reference interpreter."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwgen.emit.hls import hls_project
from hwgen.emit.plan import BuildPlan
from hwgen.emit.testbench_data import golden_trace
from hwgen.errors import DataError, ToolError
from hwgen.golden.interpreter import Interpreter
from hwgen.program.program import Program
from hwgen.program.status import ErrorCode
from hwgen.sim.csim import compile_csim, run_csim, trace_csim
from hwgen.sim.toolchain import find_toolchain

Images = Callable[..., np.ndarray]
PART = "xczu9eg-ffvb1156-2-e"


@pytest.fixture
def files(program: Program, make_images: Images) -> dict[str, bytes]:
    return hls_project(program, PART, 250, make_images(2, program))


def run_bench(folder: Path, executable: Path, *arguments: str) -> tuple[int, list[str]]:
    """The test bench as a user or Vitis runs it, in the emitted folder."""
    done = subprocess.run(
        [executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.fixture
def emitted(files: dict[str, bytes], tmp_path: Path) -> Path:
    BuildPlan(files).write(tmp_path / "build")
    return tmp_path / "build" / "hls"


@pytest.mark.parametrize("lanes", [16, 32, 64])
def test_outputs_equal_the_golden_ones(
    make_program: Callable[..., Program], make_images: Images, lanes: int
) -> None:
    program = make_program(lanes)
    beats = make_images(5, program)
    done: list[tuple[int, int]] = []
    result = run_csim(
        hls_project(program, PART, 250, beats[:1]),
        program,
        beats,
        progress=lambda count, total: done.append((count, total)),
    )
    np.testing.assert_array_equal(result.outputs, Interpreter(program).run(beats))
    assert result.outputs.dtype == np.int16 and result.errors.tolist() == [0] * 5
    assert done == [(count, 5) for count in range(1, 6)]


def test_the_engine_runs_other_programs_than_its_own(
    files: dict[str, bytes], make_program: Callable[..., Program], make_images: Images
) -> None:
    other = make_program(seed=9)
    beats = make_images(1, other)
    np.testing.assert_array_equal(
        run_csim(files, other, beats).outputs, Interpreter(other).run(beats)
    )


def test_every_instruction_equals_the_golden_one(
    files: dict[str, bytes], program: Program, make_images: Images
) -> None:
    beats = make_images(1, program)
    _, trace = golden_trace(program, beats)
    assert trace_csim(files, program, beats, trace) is None
    # Every one is really compared: a change in any is found, and named.
    labels = [label for label in program.labels if label not in ("rows", "end")]
    for index, label in enumerate(labels):
        wrong = [replace(item, vectors=item.vectors.copy()) for item in trace]
        wrong[index].vectors[-1, -1, 3] += 1
        slices, rows, _ = wrong[index].vectors.shape
        found = trace_csim(files, program, beats, wrong, run=4)
        number = program.labels.index(label)
        place = f"image 4, instruction {number} ({label}), slice {slices - 1}, row {rows - 1}"
        value = int(trace[index].vectors[-1, -1, 3])
        assert found == f"{place}, lane 3: expected {value + 1}, found {value}"


def test_rows_that_depend_on_the_image(selecting_program: Program, make_images: Images) -> None:
    program = selecting_program
    beats = make_images(12, program)
    files = hls_project(program, PART, 250, beats[:3])
    np.testing.assert_array_equal(
        run_csim(files, program, beats).outputs, Interpreter(program).run_all(beats)
    )
    index = program.labels.index("selection")
    for run in range(3):
        one = beats[run : run + 1]
        _, trace = golden_trace(program, one)
        assert trace_csim(files, program, one, trace) is None
        place = next(i for i, item in enumerate(trace) if item.index == index)
        rows = trace[place].extent.rows
        wrong = list(trace)
        wrong[place] = replace(trace[place], vectors=trace[place].vectors.copy())
        wrong[place].vectors[1, rows - 1, 3] += 1
        found = trace_csim(files, program, one, wrong)
        where = f"image 0, instruction {index} (selection), slice 1, row {rows - 1}, lane 3: "
        assert found is not None and found.startswith(where)


def test_a_selection_that_keeps_too_many_rows_is_named(
    selecting_program: Program, make_images: Images
) -> None:
    program = selecting_program
    beats = make_images(12, program)
    name, rule = "hls/kernels/token_select.hpp", b"stays = high && by_score < op.limit;"
    files = hls_project(program, PART, 250, beats[:1])
    assert files[name].count(rule) == 1
    files[name] = files[name].replace(rule, b"stays = high || by_score < op.limit;")
    for run in range(len(beats)):
        one = beats[run : run + 1]
        _, trace = golden_trace(program, one)
        index = program.labels.index("selection")
        rows = next(item.extent.rows for item in trace if item.index == index)
        found = trace_csim(files, program, one, trace)
        where = f"image 0, instruction {index} (selection), rows: expected {rows}, found 5"
        assert found == (where if rows < 5 else None)


def test_another_engine_is_an_error_code(
    files: dict[str, bytes], program: Program, make_images: Images
) -> None:
    other = replace(program, engine=replace(program.engine, max_rows=15))
    result = run_csim(files, other, make_images(2, program))
    assert result.errors.tolist() == [ErrorCode.WRONG_ENGINE] * 2


def test_the_emitted_bench_passes_by_itself(emitted: Path) -> None:
    executable = compile_csim(emitted)
    code, lines = run_bench(emitted, executable)
    assert (code, lines[-1]) == (0, "All outputs of 2 images are equal.")
    assert run_bench(emitted, executable, "--no-trace")[0] == 0


def test_the_emitted_bench_names_a_damaged_expectation(emitted: Path) -> None:
    path = emitted / "tb_data" / "expected.bin"
    values = np.fromfile(path, "<i2")
    values[16 + 5] += 1  # second image, lane 5
    values.tofile(path)
    code, lines = run_bench(emitted, compile_csim(emitted))
    found = f"expected {values[21]}, found {values[21] - 1}"
    place = "mismatch: image 1, instruction 10 (head), slice 0, row 0, lane 5"
    assert (code, lines[-1]) == (1, f"{place}: {found}")


def test_the_emitted_bench_names_the_instruction_of_a_damaged_weight(
    emitted: Path, program: Program
) -> None:
    path = emitted / "tb_data" / "weights.bin"
    data = bytearray(path.read_bytes())
    # One port, so beats lie one after the other: the first channel's bias of the hidden layer.
    data[16 * program.instructions[8].offset + 2] ^= 0x40
    path.write_bytes(data)
    code, lines = run_bench(emitted, compile_csim(emitted))
    assert code == 1
    assert lines[-1].startswith("mismatch: image 0, instruction 8 (block 0 fc1), slice 0, row 0")
    code, lines = run_bench(emitted, compile_csim(emitted), "--no-trace")
    assert code == 1
    assert lines[-1].startswith("mismatch: image 0, instruction 10 (head), slice 0, row 0, lane ")


def test_the_emitted_bench_names_a_bad_program(emitted: Path) -> None:
    path = emitted / "tb_data" / "program.bin"
    data = bytearray(path.read_bytes())
    data[64 * (1 + 7)] = 200  # the opcode of instruction 7
    path.write_bytes(data)
    executable = compile_csim(emitted)
    assert run_bench(emitted, executable) == (
        3,
        ["stopped: image 0, instruction 7 (block 0 attention) did not finish, error code 3"],
    )
    stopped = (3, ["stopped: image 0, error code 3"])
    assert run_bench(emitted, executable, "--no-trace") == stopped


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("weights.bin", "testbench: cannot read tb_data/weights.bin"),
        ("run.txt", "testbench: cannot read tb_data/run.txt"),
        ("trace.bin", "testbench: trace.bin has 3 bytes, expected "),
        ("expected.bin", "testbench: expected.bin has 3 bytes, expected 64"),
        ("input.bin", "testbench: input.bin does not hold a whole number of runs"),
        ("instructions.txt", "testbench: instructions.txt is damaged: abc"),
    ],
)
def test_unusable_data_are_named(emitted: Path, name: str, message: str) -> None:
    path = emitted / "tb_data" / name
    if "cannot read" in message:
        path.unlink()
    else:
        path.write_text("abc")
    code, lines = run_bench(emitted, compile_csim(emitted))
    assert code == 2 and lines[-1].startswith(message)


def test_the_makefile_builds_and_runs_the_bench(emitted: Path) -> None:
    def make(*arguments: str) -> subprocess.CompletedProcess[str]:
        # Not as a part of the make that may run the tests: it would add lines of its own.
        ours = ("AP_TYPES", "XILINX_HLS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
        environment = {k: v for k, v in os.environ.items() if k not in ours}
        return subprocess.run(
            ["make", "csim", *arguments],
            cwd=emitted,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )

    done = make()
    assert done.returncode != 0 and "ap_int.h is needed. Set AP_TYPES" in done.stdout
    done = make(f"AP_TYPES={find_toolchain().ap_types}", "CXXFLAGS=-O0")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    assert done.stdout.endswith("All outputs of 2 images are equal.\n")


def test_unknown_arguments_are_refused(emitted: Path) -> None:
    executable = compile_csim(emitted)
    expected = (2, ["testbench: unknown argument --fast"])
    assert run_bench(emitted, executable, "--fast") == expected


def test_a_crash_shows_the_last_lines(
    files: dict[str, bytes], program: Program, make_images: Images
) -> None:
    bench = "#include <cstdio>\n#include <cstdlib>\nint main() { %s std::abort(); }\n"
    broken = {"hls/testbench.cpp": (bench % 'std::puts("last"); std::fflush(0);').encode()}
    with pytest.raises(
        ToolError, match=r"^C simulation was ended by signal 6\.\nIts la[^:]*:\n  last"
    ):
        run_csim(broken, program, make_images(1, program))


def test_a_hang_is_ended(program: Program, make_images: Images) -> None:
    broken = {"hls/testbench.cpp": b"int main() { volatile bool on = true; while (on) {} }\n"}
    with pytest.raises(
        ToolError, match=r"^C simulation was stopped after 0\.5 seconds\. It printed"
    ):
        run_csim(broken, program, make_images(1, program), timeout_s=0.5)


def test_no_compiler_is_said(
    files: dict[str, bytes],
    program: Program,
    make_images: Images,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match=r"g\+\+ is not on PATH"):
        run_csim(files, program, make_images(1, program))


def test_no_image_is_said(files: dict[str, bytes], program: Program, make_images: Images) -> None:
    with pytest.raises(DataError, match="needs at least one image"):
        run_csim(files, program, make_images(1, program)[:0])
