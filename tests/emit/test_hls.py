# SPDX-License-Identifier: Apache-2.0
"""The HLS project: reproducible, complete, and a script that a Tcl interpreter runs."""

import re
import tkinter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwgen.emit.hls import hls_project
from hwgen.emit.plan import BuildPlan
from hwgen.errors import DataError
from hwgen.program.program import Program

Images = Callable[..., np.ndarray]
PART = "xczu9eg-ffvb1156-2-e"

VITIS_COMMANDS = (
    "open_project",
    "set_top",
    "add_files",
    "open_solution",
    "set_part",
    "create_clock",
    "config_interface",
    "csim_design",
    "csynth_design",
    "cosim_design",
    "export_design",
    "close_project",
)
BEGIN = [
    "open_project -reset hwgen_engine_prj",
    "set_top hwgen_engine",
    "add_files hwgen_engine.cpp -cflags -std=c++14",
    "add_files -tb testbench.cpp -cflags {-std=c++14 -Wno-unknown-pragmas}",
    "add_files -tb tb_data",
    "open_solution -reset -flow_target vivado solution1",
    f"set_part {PART}",
    "create_clock -period 4.000 -name default",
    "config_interface -m_axi_addr64",
]
CSIM = "csim_design -O -clean"
EXPORT = "export_design -format ip_catalog -vendor xilinx.com -library hls -version 1.0"


@pytest.fixture
def files(program: Program, make_images: Images) -> dict[str, bytes]:
    return hls_project(program, PART, 250, make_images(2, program))


@pytest.fixture
def folder(files: dict[str, bytes], tmp_path: Path) -> Path:
    BuildPlan(files).write(tmp_path / "build")
    return tmp_path / "build" / "hls"


class Vitis:
    """A Tcl interpreter with Vitis HLS' commands as stubs that note how they were called."""

    def __init__(self, fail: str = "") -> None:
        self.calls: list[str] = []
        self.code: int | None = None
        self.tcl = tkinter.Tcl()
        for name in VITIS_COMMANDS:
            self.tcl.createcommand(f"note_{name}", self._note)
            body = f"note_{name} [list {name} {{*}}$args]"
            if name == fail:
                body = f"error {{{name} failed}}"
            self.tcl.eval(f"proc {name} {{args}} {{ {body} }}")
        self.tcl.createcommand("note_exit", self._exit)
        # Like the real one, this exit does not return.
        self.tcl.eval("proc exit {{code 0}} { note_exit $code; return -code error -level 99 stop }")
        self.tcl.eval("proc puts {args} {}")

    def _note(self, call: str) -> None:
        self.calls.append(call)

    def _exit(self, code: str) -> None:
        self.code = int(code)

    def run(self, start: str) -> int | None:
        # The script's exit surfaces as an error here.
        self.tcl.eval(f"catch {{ {start} }}")
        return self.code


def start(tool: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """How each tool runs a script: vitis_hls sources it and sets argv; vitis-run reads it as text
    in the folder it was started in, with neither argv nor a script name.
    """
    if tool == "vitis_hls":
        monkeypatch.chdir(tmp_path)
        return f"set argv {{-f run.tcl}}; set argc 2; source {{{folder / 'run.tcl'}}}"
    monkeypatch.chdir(folder)
    return (folder / "run.tcl").read_text()


@pytest.mark.parametrize("tool", ["vitis_hls", "vitis-run"])
def test_run_tcl_calls_vitis_in_order(
    tool: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = start(tool, folder, monkeypatch, tmp_path)
    vitis = Vitis()
    assert vitis.run(script) == 0
    assert vitis.calls == [*BEGIN, CSIM, "csynth_design", EXPORT, "close_project"]
    assert Path.cwd() == folder


@pytest.mark.parametrize("tool", ["vitis_hls", "vitis-run"])
def test_opts_tcl_chooses_the_steps(
    tool: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opts = (folder / "opts.tcl").read_text()
    opts = opts.replace("opt(csim) 1", "opt(csim) 0").replace("opt(cosim) 0", "opt(cosim) 1")
    (folder / "opts.tcl").write_text(opts.replace("opt(export) 1", "opt(export) 0"))
    script = start(tool, folder, monkeypatch, tmp_path)
    vitis = Vitis()
    assert vitis.run(script) == 0
    cosim = "cosim_design -argv --no-trace"
    assert vitis.calls == [*BEGIN, "csynth_design", cosim, "close_project"]


@pytest.mark.parametrize("tool", ["vitis_hls", "vitis-run"])
@pytest.mark.parametrize("step", ["open_project", "csim_design", "csynth_design", "export_design"])
def test_a_failing_step_ends_with_code_one(
    tool: str, step: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = start(tool, folder, monkeypatch, tmp_path)
    assert Vitis(fail=step).run(script) == 1


def test_two_projects_are_byte_identical(
    make_program: Callable[..., Program], make_images: Images
) -> None:
    plans = []
    for _ in range(2):
        program = make_program()
        plans.append(BuildPlan(hls_project(program, PART, 250, make_images(2, program))))
    assert plans[0].archive() == plans[1].archive()


@pytest.mark.parametrize("lanes", [16, 32, 64])
def test_the_top_has_a_port_for_each_sixteen_lanes(
    make_program: Callable[..., Program], make_images: Images, lanes: int
) -> None:
    program = make_program(lanes)
    text = hls_project(program, PART, 250, make_images(1, program))["hls/hwgen_engine.cpp"].decode()
    ports = [f"gmem{port}" for port in range(lanes // 16)]
    bundles = re.findall(r"m_axi port=(\w+) offset=slave bundle=(\w+) depth=\d+ ", text)
    assert bundles == [*zip(ports, ports, strict=True), ("output", "gmem0")]
    arguments = [*ports, "output", "program", "weights", "input", "error_code", "return"]
    assert re.findall(r"s_axilite port=(\w+) bundle=control", text) == arguments
    assert f"engine({', '.join(arguments[:-1])});" in text
    assert f"0x10 {ports[0]} " in text


def test_depths_are_what_the_test_bench_allocates(
    files: dict[str, bytes], program: Program
) -> None:
    text = files["hls/hwgen_engine.cpp"].decode()
    memory = 0
    for name, images in (("program.bin", 1), ("weights.bin", 1), ("input.bin", 2)):
        memory += -(-len(files[f"hls/tb_data/{name}"]) // images // 4096) * 4096
    assert f"bundle=gmem0 depth={memory // 16} " in text
    assert f"port=output offset=slave bundle=gmem0 depth={16 * 2 // 16} " in text


def test_the_folder_is_complete(files: dict[str, bytes]) -> None:
    names = {name.removeprefix("hls/") for name in files}
    assert {
        "Makefile",
        "README.md",
        "hls_config.cfg",
        "kernels/csim/hls_stream.h",
        "kernels/engine.hpp",
        "kernels/hwgen_config.hpp",
        "kernels/hwgen_instruction.hpp",
        "kernels/hwgen_tables.hpp",
        "tb_data/expected.bin",
        "tb_data/trace.bin",
    } <= names
    assert not [name for name in names if "test_" in name]
    assert b"has not been run" in files["hls/README.md"]
    for name in ("hls_config.cfg", "opts.tcl"):
        assert PART in files[f"hls/{name}"].decode()


def test_every_quoted_include_is_in_the_project(files: dict[str, bytes]) -> None:
    """No include path is needed: Vitis resolves quoted includes beside the file."""
    for name, data in files.items():
        if not name.endswith((".cpp", ".hpp")):
            continue
        for include in re.findall(r'^#include "(.+)"', data.decode(), re.MULTILINE):
            beside = Path(name).parent / include
            assert beside.as_posix() in files or include in ("ap_int.h", "hls_stream.h"), (
                name,
                include,
            )


def test_no_image_is_an_error(program: Program, make_images: Images) -> None:
    with pytest.raises(DataError, match="needs at least one test image"):
        hls_project(program, PART, 250, make_images(1, program)[:0])
