# SPDX-License-Identifier: Apache-2.0
"""The hardware handoff file as XML; tests/driver/test_hwh.py has pynq read it."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from hwgen.boards import Board, board_names, load_board
from hwgen.emit.hwh import hwh
from hwgen.emit.rtl_ports import engine_ports
from hwgen.errors import ConfigError
from hwgen.program.engine import EngineConfig
from hwgen.program.registers import COUNTERS, HLS_VLNV


def modules(data: bytes) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(data)
    return {module.attrib["INSTANCE"]: module for module in root.iter("MODULE")}


@pytest.mark.parametrize("name", board_names())
def test_well_formed_and_the_same_each_time(name: str) -> None:
    board = load_board(name)
    data = hwh(board, board.engine)
    assert list(modules(data)) == ["axi_intc_0", "hwgen_engine_0", "zynq_ultra_ps_e_0"]
    assert hwh(load_board(name), replace(board.engine)) == data


def test_it_does_not_pass_for_vivados() -> None:
    board = load_board("zcu102")
    text = hwh(board, board.engine).decode()
    assert "VIVADOVERSION" not in text and "No bitstream belongs to it" in text
    root = ElementTree.fromstring(text.encode())
    assert root.attrib["GENERATOR"] == "hwgen"
    (info,) = root.iter("SYSTEMINFO")
    assert info.attrib == {
        "ARCH": "zynquplus",
        "BOARD": "xilinx.com:zcu102:part0",
        "DEVICE": "xczu9eg",
        "NAME": "hwgen",
        "PACKAGE": "ffvb1156",
        "SPEEDGRADE": "-2",
    }


def test_every_port_of_the_engine_and_every_interface() -> None:
    board = load_board("zcu102")
    engine = modules(hwh(board, board.engine))["hwgen_engine_0"]
    ports = {
        port.attrib["NAME"]: (port.attrib["DIR"], int(port.get("LEFT", "0")) + 1)
        for port in engine.iter("PORT")
    }
    assert ports == {
        port.name: ("O" if port.output else "I", port.width) for port in engine_ports(board.engine)
    }
    interfaces = {
        bus.attrib["NAME"]: [item.attrib["PHYSICAL"] for item in bus.iter("PORTMAP")]
        for bus in engine.iter("BUSINTERFACE")
    }
    assert list(interfaces) == ["s_axi_control", *(f"m_axi_gmem{port}" for port in range(4))]
    mapped = {name for inside in interfaces.values() for name in inside}
    assert mapped == ports.keys() - {"ap_clk", "ap_rst_n", "interrupt"}


def test_what_the_board_says_is_what_the_file_says() -> None:
    values = load_board("ultra96v2").model_dump()
    values["part"] = "xczu4cg-sfvc784"
    values["ps"] |= {"control_port": "M_AXI_HPM1_FPD", "interrupt": "pl_ps_irq1"}
    values["clocks"] = {"reference": "pl_clk2", "reference_mhz": 250}
    values["ports"] = [{"name": "S_AXI_HPC0_FPD", "width": 64}]
    values["memory_map"] |= {
        "control": {"base": 0xB000_0000, "bytes": 0x2000},
        "axi_intc": {"base": 0xB100_0000, "bytes": 0x1000},
    }
    board = Board.model_validate(values)
    data = hwh(board, board.engine)
    (info,) = ElementTree.fromstring(data).iter("SYSTEMINFO")
    assert info.attrib["DEVICE"] == "xczu4cg"
    system = modules(data)["zynq_ultra_ps_e_0"]
    ranges = {
        item.attrib["INSTANCE"]: tuple(item.attrib[key] for key in ("BASEVALUE", "HIGHVALUE"))
        for item in system.iter("MEMRANGE")
        if item.attrib["MASTERBUSINTERFACE"] == "M_AXI_HPM1_FPD"
    }
    assert ranges == {
        "hwgen_engine_0": ("0xB0000000", "0xB0001FFF"),
        "axi_intc_0": ("0xB1000000", "0xB1000FFF"),
    }
    parameters = {item.attrib["NAME"]: item.attrib["VALUE"] for item in system.iter("PARAMETER")}
    enabled = [clock for clock in range(4) if parameters[f"PSU__FPGA_PL{clock}_ENABLE"] == "1"]
    assert enabled == [2]
    assert parameters["PSU__CRL_APB__PL2_REF_CTRL__ACT_FREQMHZ"] == "250"
    assert parameters["PSU__CRL_APB__PL2_REF_CTRL__DIVISOR0"] == "6"
    assert parameters["C_SAXIGP0_DATA_WIDTH"] == "64"
    assert {port.attrib["NAME"] for port in system.iter("PORT")} == {"pl_ps_irq1", "pl_clk2"}


def test_the_engine_of_vitis_hls_has_no_counters() -> None:
    board = load_board("zcu102")
    rtl, hls = (
        {item.attrib["NAME"] for item in modules(data)["hwgen_engine_0"].iter("REGISTER")}
        for data in (hwh(board, board.engine), hwh(board, board.engine, HLS_VLNV))
    )
    names = {counter.name for counter in COUNTERS} - {"cycles"} | {"cycles_1", "cycles_2"}
    assert rtl - hls == names and hls < rtl


def test_more_ports_than_the_board_has_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"64 lanes has 4 .*ultra96v2 gives it 1\. Choose fewer"):
        hwh(load_board("ultra96v2"), EngineConfig(lanes=64))
