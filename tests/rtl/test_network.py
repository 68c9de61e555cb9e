# SPDX-License-Identifier: Apache-2.0
"""Whole networks on any implementation of the engine, from image in memory to output in memory.

``pytest tests/rtl/test_network.py --rtl PATH`` takes Verilog that Vitis HLS exported; see
tests/conftest.py.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen.emit.rtl import TOP, design_sources
from hwgen.emit.rtl_ports import engine_ports
from hwgen.errors import ToolError
from hwgen.program.engine import EngineConfig
from hwgen.program.program import Program
from sim.exported import connect, exported, read_exported, read_ports
from sim.implementation import Implementation, builtin, hls, write_files
from sim.network import check_network
from tests.csim.writer import INPUT_BEATS, SMALL, random_program
from tests.rtl.vitis_shell import INNER, vitis_shell

ENGINE = EngineConfig(lanes=16, **(SMALL | {"prefetch_depth": 256}))
IMAGES = 3


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Without --rtl, what fits into a run of all tests."""
    if "name" in metafunc.fixturenames:
        named = metafunc.config.getoption("--rtl")
        fashion = metafunc.function is test_shipped_network
        metafunc.parametrize(
            "name", [named] if named else ["hls"] if fashion else ["builtin", "hls"]
        )


def shipped_network(config: pytest.Config) -> hwgen.Design:
    data = Path(hwgen.__file__).parent / "data"
    return hwgen.build(
        data / "fashion_vit.onnx",
        config=config.getoption("--rtl-config"),
        calibration=data / "fashion_calibration.npz",
    )


def make(name: str, program: Program, beats: np.ndarray, folder: Path) -> Implementation:
    if name == "builtin":
        return builtin(program.engine, folder)
    if name == "hls":
        return hls(program, beats, folder)
    return exported(Path(name), program.engine, folder)


def random_case(engine: EngineConfig, seed: int) -> Program:
    """A program that needs no more than the small engine, which fits into any other."""
    small = random_program(EngineConfig(lanes=engine.lanes, **SMALL), seed)
    return replace(small, engine=engine)


def random_beats(engine: EngineConfig) -> np.ndarray:
    size = (IMAGES, INPUT_BEATS, engine.lanes)
    return np.random.default_rng(0).integers(0, 256, size, np.uint8)


def test_random_programs(name: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Of all instructions; of a small engine, unless an export says otherwise."""
    given = name not in ("builtin", "hls")
    engine = shipped_network(pytestconfig).program.engine if given else ENGINE
    beats = random_beats(engine)
    programs = [random_case(engine, seed) for seed in range(2)]
    implementation = make(name, programs[0], beats, tmp_path / "sources")
    for program in programs:
        check_network(implementation, program, beats, tmp_path)


def test_shipped_network(name: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    design = shipped_network(pytestconfig)
    images = np.load(Path(hwgen.__file__).parent / "data" / "fashion_test.npz")["images"][:IMAGES]
    program = design.program
    beats = program.input.pack(images, program.engine.lanes)
    check_network(make(name, program, beats, tmp_path / "sources"), program, beats, tmp_path)


def test_export(tmp_path: Path) -> None:
    """All of it but Vitis HLS itself."""
    export = tmp_path / "verilog"
    write_files(export, {name: text.encode() for name, text in vitis_shell(ENGINE).items()})
    implementation = exported(export, ENGINE, tmp_path / "sources")
    check_network(implementation, random_case(ENGINE, 2), random_beats(ENGINE), tmp_path)


def hollow(engine: EngineConfig) -> str:
    """The top of an export with nothing inside."""
    shell = vitis_shell(engine)[f"{TOP}.v"]
    return re.sub(rf"{INNER} inner.*?;|`include[^\n]*", "", shell, flags=re.DOTALL)


@pytest.mark.parametrize("lanes", [16, 64])
def test_ports_of_the_emitted_engine_are_those_said(lanes: int, tmp_path: Path) -> None:
    engine = replace(ENGINE, lanes=lanes)
    found = read_ports(write_files(tmp_path, design_sources(engine)), tmp_path)
    expected = {port.name: replace(port, signal="") for port in engine_ports(engine)}
    assert found == expected


def test_ports_of_an_export(tmp_path: Path) -> None:
    """Its own address bits; what it alone has is left open, or zero."""
    engine = replace(ENGINE, lanes=64)
    top = tmp_path / "top.v"
    top.write_text(hollow(engine))
    found = read_ports([top], tmp_path)
    assert len(found) == 3 + 17 + 4 * 45
    signals = {port.name: port.signal for port in connect(engine, found)}
    assert signals["s_axi_control_AWADDR"] == "s_axi_control_AWADDR[6:0]"
    assert signals["m_axi_gmem3_RDATA"] == "rdata[3]"
    assert signals["m_axi_gmem0_AWADDR"] == "awaddr"
    assert signals["m_axi_gmem1_AWADDR"] == signals["m_axi_gmem0_AWLOCK"] == ""
    assert signals["m_axi_gmem1_AWREADY"] == signals["m_axi_gmem0_BUSER"] == "'0"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"m_axi_gmem0_RLAST", "m_axi_gmem0_LAST", r"has no port m_axi_gmem0_RLAST\. Export it"),
        (
            r"(GMEM0_DATA_WIDTH =) 128",
            r"\1 64",
            r"WDATA of .* is an output of 64 bits; the engine's",
        ),
        (r"input   ap_rst_n", "output   ap_rst_n", r"ap_rst_n of .* is an output of 1 bits; the"),
        (r"m_axi_gmem0_ARVALID", "m_axi_gmem0_ASK", r"reads memory by 0 ports .* 16 lanes has 1"),
        (r"endmodule", "endmodul", r"^Verilator cannot read module hwgen_engine"),
    ],
)
def test_ports_that_do_not_fit(tmp_path: Path, old: str, new: str, message: str) -> None:
    text, count = re.subn(old, new, hollow(ENGINE))
    assert count
    (tmp_path / "top.v").write_text(text)
    with pytest.raises(ToolError, match=message):
        exported(tmp_path / "top.v", ENGINE, tmp_path / "sources")


def test_paths_that_hold_no_engine(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"nowhere does not exist\. Name a Verilog file"):
        read_exported(tmp_path / "nowhere")
    with pytest.raises(ToolError, match=r"holds no Verilog \(\*\.v, \*\.sv\)\. Vitis HLS exports"):
        read_exported(tmp_path)
    (tmp_path / "other.v").write_text("module other; endmodule\n")
    with pytest.raises(ToolError, match="holds no module hwgen_engine; it holds other"):
        read_exported(tmp_path)
