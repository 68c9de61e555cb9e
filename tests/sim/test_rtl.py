# SPDX-License-Identifier: Apache-2.0
"""The emitted SystemVerilog is compiled once, runs, and its mistakes are named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwgen.emit.c_header import HEADER
from hwgen.emit.plan import BuildPlan
from hwgen.emit.rtl import FOLDER, rtl_project
from hwgen.errors import DataError, ToolError, VerificationError
from hwgen.golden.interpreter import Interpreter
from hwgen.program.program import Program
from hwgen.sim import rtl_build, verilator
from hwgen.sim.rtl import Memory, run_rtl
from hwgen.sim.rtl_build import Options, compile_rtl, read_rtl
from hwgen.sim.verify_rtl import verify_rtl

Images = Callable[..., np.ndarray]
TWIN = Options(twin=True)


@pytest.fixture
def files(program: Program) -> dict[str, bytes]:
    """The RTL of the small Program's engine, names relative to ``rtl/``."""
    project = rtl_project(program.engine)
    return {name.removeprefix(f"{FOLDER}/"): data for name, data in project.items()}


@pytest.fixture(autouse=True)
def _compiled_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtl_build, "_OPTIMISE", "-O0")


@pytest.fixture
def emitted(program: Program, tmp_path: Path) -> Path:
    BuildPlan(rtl_project(program.engine)).write(tmp_path / "design")
    return tmp_path / "design"


def change(files: dict[str, bytes], name: str, old: bytes, new: bytes) -> dict[str, bytes]:
    """The project with one mistake in it."""
    assert files[name].count(old) == 1
    return {**files, name: files[name].replace(old, new)}


def test_equal_and_compiled_once(
    files: dict[str, bytes],
    program: Program,
    make_images: Images,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulator = compile_rtl(files, TWIN)
    monkeypatch.setattr(rtl_build, "run_process", None)  # a second compilation would fail
    assert compile_rtl(files | {"README.md": b"of a design in memory"}, TWIN) == simulator
    beats = make_images(5, program)
    expected = Interpreter(program).run_all(beats)
    seen: list[tuple[int, int]] = []
    result = verify_rtl(
        simulator, program, beats, expected, progress=lambda *counts: seen.append(counts)
    )
    np.testing.assert_array_equal(result.outputs, expected)
    assert result.outputs.dtype == np.int16
    assert len(result.cycles) == len(result.errors) == len(result.words) == 5
    # A run takes as long whichever image it has, and the trace counts as the engine does.
    alone = run_rtl(simulator, program, beats[3:4], processes=1)
    assert alone.cycles[0] == result.cycles[0] == result.timeline.cycles
    assert seen and all(done <= total for done, total in seen)
    # One simulator serves every memory; a slower one takes longer.
    slow = run_rtl(simulator, program, beats[3:4], memory=Memory(bytes_per_cycle=4, latency=200))
    np.testing.assert_array_equal(slow.outputs, expected[3:4])
    assert slow.cycles[0] > alone.cycles[0]
    # The timeline has every cycle of the first run, and every instruction that works.
    assert sum(share.cycles for share in result.timeline.shares) == result.timeline.cycles
    assert {s.instruction for s in result.timeline.slices} == set(range(len(program.instructions)))
    # The program, its weights and the image are all read, and the output is written.
    least = program.image.nbytes + program.weights.nbytes + beats[0].nbytes
    assert 16 * result.words[0] >= least + expected[0].nbytes


def test_a_wrong_constant_is_found_and_named(
    files: dict[str, bytes], program: Program, make_images: Images
) -> None:
    wrong = change(files, "kernels/gelu_lane.sv", b"CLIP = 17'sd2562", b"CLIP = 17'sd2000")
    beats = make_images(3, program)
    expected = Interpreter(program).run_all(beats)
    simulator = compile_rtl(wrong, TWIN)
    with pytest.raises(
        VerificationError,
        match=r"RTL simulation differs from the reference interpreter in \d of 3 runs\. First: "
        r"image \d, output vector 0, lane \d: expected -?\d+, found -?\d+\.$",
    ):
        verify_rtl(simulator, program, beats, expected)


def test_a_mistake_of_language_is_named_and_leaves_nothing(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HWGEN_CACHE", str(tmp_path))
    wrong = change(files, "kernels/gelu_lane.sv", b"CLIP = 17'sd2562", b"CLIP = 17'sd2562 oops")
    with pytest.raises(
        ToolError,
        match=r"Verilator failed on the RTL \(exit code 1\)\. Correct rtl/, or build the model "
        r"again\. Its first complaint:\n  %Error: kernels/gelu_lane\.sv:17:\d+: syntax error",
    ):
        compile_rtl(wrong, TWIN)
    unused = change(
        files,
        "kernels/gelu_lane.sv",
        b"  localparam int ERF_SHIFT",
        b"  logic idle;\n  localparam int ERF_SHIFT",
    )
    with pytest.raises(ToolError, match=r"complaint:\n  %Warning-UNUSEDSIGNAL: kernels/gelu_lane"):
        compile_rtl(unused, TWIN)
    assert not list((tmp_path / "rtl").iterdir())


def test_each_array_is_another_simulator(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HWGEN_CACHE", str(tmp_path))
    tool = verilator.find_verilator()
    options = [TWIN, Options(), Options(waves=True)]
    changed = change(
        files, "hwgen_testbench.sv", b"module hwgen_testbench", b"module  hwgen_testbench"
    )
    keys = [rtl_build._key(files, option, tool) for option in options]
    keys.append(rtl_build._key(changed, TWIN, tool))
    assert len(set(keys)) == len(keys)


def test_a_folder_gives_the_files_that_were_emitted(emitted: Path, files: dict[str, bytes]) -> None:
    beside = {"README.md", HEADER}
    assert read_rtl(emitted) == {name: files[name] for name in files.keys() - beside}


@pytest.mark.parametrize("name", ["design.f", "simulation.f", "kernels/fifo.sv"])
def test_a_missing_file_is_named(emitted: Path, name: str) -> None:
    (emitted / FOLDER / name).unlink()
    with pytest.raises(
        ToolError,
        match=rf"rtl holds no complete RTL project \({Path(name).name}: No such file .*\)\. "
        r"Build the model again\.$",
    ):
        read_rtl(emitted)


@pytest.mark.parametrize(
    "line", ["../ip/fifo.sv", "/tmp/fifo.sv", "+incdir+ip", "// mine", "\xff/.."]
)
def test_lists_hold_names_of_their_own_files_alone(emitted: Path, line: str) -> None:
    path = emitted / FOLDER / "design.f"
    path.write_bytes(line.encode("latin-1") + b"\n" + path.read_bytes())
    with pytest.raises(
        ToolError, match=r"design\.f holds .*and nothing else: no option, no comment"
    ):
        read_rtl(emitted)


def test_waves_need_their_library(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler = tmp_path / "no-lz4"
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(ToolError, match=r"lz4\.h was not found\. Install it .*liblz4-dev"):
        compile_rtl(files, Options(twin=True, waves=True))


def test_no_verilator(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(verilator.sysconfig, "get_paths", lambda: {"purelib": str(tmp_path)})
    which = verilator.shutil.which
    monkeypatch.setattr(
        verilator.shutil, "which", lambda name: None if name == "verilator" else which(name)
    )
    with pytest.raises(
        ToolError, match=r"needs Verilator 5\.48 or later, and none was found\. Install it with "
    ):
        compile_rtl(files, TWIN)
    monkeypatch.setattr(verilator.shutil, "which", lambda name: f"/tools/{name}")
    assert verilator.find_verilator().command == "/tools/verilator"


@pytest.mark.parametrize(
    ("missing", "message"),
    [("make", "needs make, and it is not on PATH"), ("g++", r"RTL simulation needs a C\+\+ comp")],
)
def test_no_make_or_compiler(monkeypatch: pytest.MonkeyPatch, missing: str, message: str) -> None:
    monkeypatch.delenv("CXX", raising=False)
    which = verilator.shutil.which
    monkeypatch.setattr(
        verilator.shutil, "which", lambda name: None if name == missing else which(name)
    )
    with pytest.raises(ToolError, match=message):
        verilator.find_verilator()


def test_no_images(program: Program, make_images: Images, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"needs at least one image"):
        run_rtl(tmp_path / "none", program, make_images(1, program)[:0])
