# SPDX-License-Identifier: Apache-2.0
"""The Tcl scripts, run to their end with Vivado's commands as stubs: every board, both engines."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from hwgen.boards import Board, board_names, load_board
from hwgen.emit.hls import hls_project
from hwgen.emit.rtl import rtl_project
from hwgen.errors import ConfigError
from hwgen.program.engine import EngineConfig
from hwgen.program.program import Program
from hwgen.program.registers import words
from hwgen.vivado.project import STEPS, vivado_project
from tests.conftest import small_engine
from tests.vivado.tcl_tools import DESIGN, SLAVES, VitisHls, Vivado

Images = Callable[..., np.ndarray]

ALL = pytest.mark.parametrize("name", board_names())


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def small(board: Board) -> EngineConfig:
    """An engine that takes as many ports as the board's own."""
    return small_engine(board.engine.lanes)


def folder_of(tmp_path: Path, board: Board, clock: float = 250) -> Path:
    folder = tmp_path / "design"
    engine = small(board)
    write(folder, {**rtl_project(engine), **vivado_project(board, engine, clock)})
    return folder


def run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str = "rtl",
    step: str = "bitstream",
    **environment: str,
) -> Vivado:
    """Runs build.tcl in a new interpreter, as another process would."""
    monkeypatch.chdir(folder.parent)
    vivado = Vivado(environment)
    vivado.source(folder / "vivado" / "build.tcl", engine, step, "3")
    return vivado


@pytest.fixture
def zcu102(tmp_path: Path) -> Path:
    return folder_of(tmp_path, load_board("zcu102"))


def design(folder: Path, engine: str = "rtl") -> dict:
    """The project as Vivado would keep it."""
    path = folder / "vivado" / "work" / engine / "project" / f"{DESIGN}.xpr"
    return json.loads(path.read_text())


@ALL
def test_the_block_design_of_each_board(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = load_board(name)
    folder = folder_of(tmp_path, board, clock=187.5)
    vivado = run(folder, monkeypatch)
    assert vivado.code == 0, vivado.printed
    made = design(folder)
    assert made["part"] == board.part
    assert made["top"] == f"{DESIGN}_wrapper"

    ports = small(board).ports
    used = [port.name for port in board.ports[:ports]]
    assert sorted(p for p in made["bus"].values() if p.startswith("zynq_ultra_ps_e_0/S_AXI")) == [
        f"zynq_ultra_ps_e_0/{port}" for port in used
    ]
    parameters = made["cells"]["zynq_ultra_ps_e_0"]["parameters"]
    for pin, number, *_ in SLAVES:
        assert parameters[f"PSU__USE__S_AXI_GP{number}"] == str(int(pin in used))
        if pin in used:
            assert parameters[f"PSU__SAXIGP{number}__DATA_WIDTH"] == "128"
    assert parameters["PSU__USE__M_AXI_GP1"] == "0"
    assert parameters["preset"].startswith(board.board_part.partition("*")[0])
    for index in range(ports):
        through = f"smartconnect_gmem{index}"
        assert made["bus"][f"hwgen_engine_0/m_axi_gmem{index}"] == f"{through}/S00_AXI"
        assert made["bus"][f"{through}/M00_AXI"] == f"zynq_ultra_ps_e_0/{used[index]}"

    clocks = [sink for sink, source in made["nets"].items() if source == "clk_wiz_0/clk_out1"]
    assert {sink for sink in made["nets"] if sink.endswith("clk")} <= set(clocks)
    assert made["nets"]["clk_wiz_0/clk_in1"] == f"zynq_ultra_ps_e_0/{board.clocks.reference}"
    assert made["cells"]["clk_wiz_0"]["parameters"]["CLKOUT1_REQUESTED_OUT_FREQ"] == "187.5"
    assert made["nets"]["axi_intc_0/intr"] == "hwgen_engine_0/interrupt"
    assert made["nets"]["zynq_ultra_ps_e_0/pl_ps_irq0"] == "axi_intc_0/irq"


@ALL
def test_the_addresses_of_each_board(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = load_board(name)
    folder = folder_of(tmp_path, board)
    assert run(folder, monkeypatch, step="design").code == 0
    mapped = [tuple(item) for item in design(folder)["mapped"]]
    processors = "zynq_ultra_ps_e_0/Data"
    assert (processors, "hwgen_engine_0/s_axi_control/Reg", 0xA0000000, 0x10000) in mapped
    assert (processors, "axi_intc_0/s_axi/Reg", 0xA0010000, 0x10000) in mapped
    memory = [item for item in mapped if item[0] != processors]
    low, high = board.memory_map.ddr_low, board.memory_map.ddr_high
    for index in range(small(board).ports):
        own = [item for item in memory if item[0] == f"hwgen_engine_0/m_axi_gmem{index}"]
        segment = f"zynq_ultra_ps_e_0/SAXIGP{2 + index}/HP{index}_DDR"
        expected = [(f"{segment}_LOW", low.base, low.bytes)]
        if high is not None:
            expected.append((f"{segment}_HIGH", high.base, high.bytes))
        assert [item[1:] for item in own] == expected


def test_versions_are_looked_up(zcu102: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(zcu102, monkeypatch).code == 0
    made = design(zcu102)
    # Not 3.4, which comes later in the alphabet, and not axi_intc:4.0.
    assert made["board_part"] == "xilinx.com:zcu102:part0:3.10"
    assert made["cells"]["axi_intc_0"]["vlnv"] == "xilinx.com:ip:axi_intc:4.1"
    scripts = "".join(path.read_text() for path in (zcu102 / "vivado").glob("*.tcl"))
    assert not re.search(r"xilinx\.com:\w+:\w+:\d", scripts)


def test_the_core_carries_the_register_map(zcu102: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(zcu102, monkeypatch, step="ip").code == 0
    core = json.loads((zcu102 / "vivado/work/rtl/ip/registers.json").read_text())
    properties = core["properties"]
    expected = words(small(load_board("zcu102")))
    assert core["blocks"]["Reg"] == [f"core/block/Reg/{word.name}" for word in expected]
    for word in expected:
        register = f"core/block/Reg/{word.name}"
        assert int(properties[f"{register} address_offset"], 16) == word.offset
        assert properties[f"{register} access"] == word.access
        assert properties[f"{register} description"] == word.meaning
        for field in word.fields:
            place = f"{register}/{field.name}"
            assert properties[f"{place} bit_offset"] == str(field.low)
            assert properties[f"{place} bit_width"] == str(field.width)
            assert properties[f"{place} access"] == field.access
    buses = ["s_axi_control", *(f"m_axi_gmem{port}" for port in range(4))]
    assert core["clocked"] == {name: ["ap_clk", "ap_rst_n"] for name in buses}
    assert core["interfaces"]["ap_clk"] == ["CLK"]
    assert {"AWADDR", "WDATA", "BRESP", "ARADDR", "RDATA"} <= set(core["interfaces"]["m_axi_gmem0"])
    assert not {"AWADDR", "WDATA"} & set(core["interfaces"]["m_axi_gmem1"])
    assert (core["vendor"], core["library"]) == ("hwgen", "overlay")


@ALL
def test_the_engine_of_vitis_hls(
    name: str,
    make_program: Callable[..., Program],
    make_images: Images,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board = load_board(name)
    folder = folder_of(tmp_path, board)
    program = make_program(board.engine.lanes)
    write(folder, hls_project(program, board.part, 250, make_images(1, program)))
    missing = run(folder, monkeypatch, engine="hls")
    assert missing.code == 1
    assert "run Vitis HLS in ../hls first" in missing.printed[-1]

    monkeypatch.chdir(folder / "hls")
    assert VitisHls({}).source(folder / "hls" / "run.tcl") == 0
    vivado = run(folder, monkeypatch, engine="hls")
    assert vivado.code == 0, vivado.printed
    made = design(folder, "hls")
    assert made["cells"]["hwgen_engine_0"]["vlnv"] == "xilinx.com:hls:hwgen_engine:1.0"
    assert len([master for master in made["bus"] if "/m_axi_gmem" in master]) == len(
        range(small(board).ports)
    )
    assert (folder / "vivado/output/hwgen.bit").is_file()


def test_what_is_left(zcu102: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vivado = run(zcu102, monkeypatch)
    assert [line for line in vivado.printed if "begins" in line] == [
        f"hwgen: step {step} begins" for step in STEPS
    ]
    output = zcu102 / "vivado" / "output"
    assert {path.name for path in output.iterdir()} == {
        "hwgen.bit",
        "hwgen.hwh",
        "hwgen.xsa",
        "hierarchy.rpt",
        "route_status.rpt",
        "timing.rpt",
        "utilization.rpt",
    }
    assert 'INSTANCE="hwgen_engine_0"' in (output / "hwgen.hwh").read_text()
    assert ("launch_runs", "synth_1", "-jobs", "3") in vivado.calls
    runs = design(zcu102)["runs"]
    assert runs["impl_1"]["STEPS.POST_ROUTE_PHYS_OPT_DESIGN.IS_ENABLED"] == "true"
    assert runs["impl_1"]["steps"] == ["route_design", "write_bitstream"]


def test_the_handoff_of_an_older_vivado(zcu102: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(zcu102, monkeypatch, FAKE_VERSION="2020.1").code == 0
    assert (zcu102 / "vivado/output/hwgen.hwh").is_file()


def test_steps_one_by_one(zcu102: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index, step in enumerate(STEPS):
        vivado = run(zcu102, monkeypatch, step=step)
        assert vivado.code == 0
        assert [line for line in vivado.printed if "begins" in line] == [
            f"hwgen: step {step} begins"
        ]
        assert vivado.printed.count("hwgen: step ip was done before") == min(index, 1)
        assert (zcu102 / "vivado/output").exists() == (step == "bitstream")
    # Once more: nothing is left to do.
    assert not [line for line in run(zcu102, monkeypatch).printed if "begins" in line]


@pytest.mark.parametrize("changed", ["rtl/hwgen_engine.sv", "vivado/block_design.tcl", "version"])
def test_a_change_makes_everything_anew(
    changed: str, zcu102: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(zcu102, monkeypatch, step="synth").code == 0
    environment = {}
    if changed == "version":
        environment["FAKE_VERSION"] = "2024.2"
    else:
        with (zcu102 / changed).open("a") as stream:
            stream.write("\n")
    vivado = run(zcu102, monkeypatch, step="synth", **environment)
    assert vivado.code == 0
    assert "hwgen: step ip begins" in vivado.printed


def test_a_file_of_another_engine_is_no_change(
    zcu102: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(zcu102, monkeypatch, step="synth").code == 0
    (zcu102 / "rtl" / "README.md").write_text("other")
    assert "hwgen: step ip was done before" in run(zcu102, monkeypatch, step="synth").printed


@pytest.mark.parametrize(
    ("fail", "step"),
    [
        ("ipx::save_core", "ip"),
        ("validate_bd_design", "design"),
        ("synth_1", "synth"),
        ("impl_1", "impl"),
        ("impl_1 write_bitstream", "bitstream"),
        ("write_hw_platform", "bitstream"),
    ],
)
def test_a_failing_step_is_named_and_done_again(
    fail: str, step: str, zcu102: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vivado = run(zcu102, monkeypatch, FAKE_FAIL=fail)
    assert vivado.code == 1
    assert vivado.printed[-1].startswith(f"hwgen: failed in step {step}: ")
    assert not (zcu102 / "vivado/output").exists()
    again = run(zcu102, monkeypatch)
    assert again.code == 0, again.printed
    begun = [line.split()[2] for line in again.printed if "begins" in line]
    assert begun == list(STEPS[STEPS.index(step) :])
    assert (zcu102 / "vivado/output/hwgen.bit").is_file()


def test_the_log_of_a_failed_run_is_shown(zcu102: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{DESIGN}_hwgen_engine_0_0_synth_1"
    vivado = run(zcu102, monkeypatch, FAKE_FAIL=name)
    assert vivado.code == 1
    shown = vivado.printed[
        vivado.printed.index("ERROR: [Vivado 12-13638] Failed runs(s) : 'synth_1'") :
    ]
    assert shown[1].startswith(f"hwgen: log of {name}: ")
    assert "ERROR: [Synth 8-439] no module [/elsewhere/ip/src/mac_array.sv:88]" in shown
    assert run(zcu102, monkeypatch).code == 0


def test_an_interrupted_bitstream_keeps_the_routing(
    zcu102: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(zcu102, monkeypatch, FAKE_FAIL="impl_1 write_bitstream").code == 1
    again = run(zcu102, monkeypatch)
    assert again.code == 0
    assert ("reset_run", "impl_1", "-from_step", "write_bitstream") in again.calls
    assert ("reset_run", "impl_1") not in again.calls


def test_timing_that_is_not_met_leaves_no_bitstream(
    zcu102: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vivado = run(zcu102, monkeypatch, FAKE_SLOW="1")
    assert vivado.code == 3
    assert vivado.printed[-1] == "hwgen: timing is not met; see work/rtl/reports/timing.rpt"
    assert not (zcu102 / "vivado/output").exists()
    assert run(zcu102, monkeypatch, FAKE_SLOW="1").code == 3


def test_nets_without_a_route_are_an_error(zcu102: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vivado = run(zcu102, monkeypatch, FAKE_UNROUTED="17")
    assert vivado.code == 1
    assert "17 nets could not be routed" in vivado.printed[-1]


def test_missing_board_files(zcu102: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vivado = run(zcu102, monkeypatch, FAKE_BOARDS="xilinx.com:zcu104:part0:1.1")
    assert vivado.code == 1
    assert "no board files xilinx.com:zcu102:part0" in vivado.printed[-1]
    assert "Vivado Store" in vivado.printed[-1]


def test_wrong_arguments(zcu102: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(zcu102, monkeypatch, engine="vhdl").code == 1
    assert run(zcu102, monkeypatch, step="place").code == 1


def test_an_unknown_command_is_an_error(zcu102: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zcu102 / "vivado" / "block_design.tcl"
    path.write_text(path.read_text().replace("save_bd_design", "store_bd_design"))
    vivado = run(zcu102, monkeypatch)
    assert vivado.code == 1
    assert 'invalid command name "store_bd_design"' in vivado.printed[-1]


def test_the_same_bytes_each_time() -> None:
    board = load_board("kv260")
    engine = small(board)
    assert vivado_project(board, engine, 250) == vivado_project(board, engine, 250)


def test_more_memory_ports_than_the_board_gives() -> None:
    with pytest.raises(ConfigError, match="64 lanes has 4 memory ports, but the board kv260 gives"):
        vivado_project(load_board("kv260"), EngineConfig(), 250)


def test_nothing_of_this_machine_is_in_the_scripts() -> None:
    board = load_board("zcu102")
    for data in vivado_project(board, small(board), 300).values():
        assert str(Path.cwd()) not in data.decode()
        assert os.environ.get("HOME", "/nowhere") not in data.decode()
