# SPDX-License-Identifier: Apache-2.0
"""The hardware handoff file, read by pynq: cells, registers, interrupts, clocks."""

import json
from pathlib import Path

import pytest
from pynq.overlay import DefaultIP
from pynqmetadata.frontends import Metadata
from pynqmetadata.views.runtime import RuntimeMetadataParser

from hwgen.program.engine import EngineConfig
from hwgen.program.registers import HLS_VLNV, RTL_VLNV, Word, words

CONTROL, INTERRUPTS, RANGE = 0xA000_0000, 0xA001_0000, 0x1_0000
MEMORY_PORTS = {
    "zcu102": ["S_AXI_HP0_FPD", "S_AXI_HP1_FPD", "S_AXI_HP2_FPD", "S_AXI_HP3_FPD"],
    "zcu104": ["S_AXI_HP0_FPD", "S_AXI_HP1_FPD"],
    "kv260": ["S_AXI_HP0_FPD", "S_AXI_HP1_FPD"],
    "ultra96v2": ["S_AXI_HP0_FPD"],
    "hls": ["S_AXI_HP0_FPD", "S_AXI_HP1_FPD"],
}
FAR_MEMORY = {"zcu102", "kv260", "hls"}
"""More than 2 GiB."""


@pytest.fixture(scope="module", params=MEMORY_PORTS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def parser(prepared: Path, name: str) -> RuntimeMetadataParser:
    return RuntimeMetadataParser(Metadata(input=prepared / "hwh" / f"{name}.hwh"))


@pytest.fixture(scope="module")
def expected(prepared: Path, name: str) -> tuple[Word, ...]:
    engines = json.loads((prepared / "hwh" / "engines.json").read_text())
    return words(EngineConfig(**engines[name]), counters=name != "hls")


def test_every_board_is_here(prepared: Path) -> None:
    assert {path.stem for path in prepared.glob("hwh/*.hwh")} == set(MEMORY_PORTS)


def test_cells_and_their_addresses(parser: RuntimeMetadataParser, name: str) -> None:
    found = {
        cell: (entry["type"], entry.get("phys_addr"), entry.get("addr_range"))
        for cell, entry in parser.ip_dict.items()
    }
    assert found == {
        "hwgen_engine_0": (HLS_VLNV if name == "hls" else RTL_VLNV, CONTROL, RANGE),
        "axi_intc_0": ("xilinx.com:ip:axi_intc:4.1", INTERRUPTS, RANGE),
        "zynq_ultra_ps_e_0": ("xilinx.com:ip:zynq_ultra_ps_e:3.5", None, None),
    }
    assert parser.ps_name == "zynq_ultra_ps_e_0" and parser.family_ps == "zynq_ultra_ps_e"
    # As in Vivado's files: memory of the processing system is what XRT adds.
    assert parser.mem_dict == {}


def test_every_register_and_field(
    parser: RuntimeMetadataParser, expected: tuple[Word, ...]
) -> None:
    registers = parser.ip_dict["hwgen_engine_0"]["registers"]
    found = {
        register: (entry["address_offset"], entry["size"], entry["access"], entry["description"])
        for register, entry in registers.items()
    }
    assert found == {word.name: (word.offset, 32, word.access, word.meaning) for word in expected}
    for word in expected:
        fields = registers[word.name]["fields"]
        assert {
            field: (entry["bit_offset"], entry["bit_width"], entry["access"])
            for field, entry in fields.items()
        } == {field.name: (field.low, field.width, field.access) for field in word.fields}


def test_the_interrupt_goes_through_the_controller(parser: RuntimeMetadataParser) -> None:
    assert parser.interrupt_controllers == {
        "axi_intc_0": {"parent": "", "index": 0, "raw_irq": 121}
    }
    pin = {"controller": "axi_intc_0", "index": 0, "fullpath": "hwgen_engine_0/interrupt"}
    assert parser.interrupt_pins["hwgen_engine_0/interrupt"] == pin
    assert parser.ip_dict["hwgen_engine_0"]["interrupts"] == {"interrupt": pin}


def test_one_clock_runs(parser: RuntimeMetadataParser) -> None:
    assert {clock: entry["enable"] for clock, entry in parser.clock_dict.items()} == {
        0: 1,
        1: 0,
        2: 0,
        3: 0,
    }
    assert parser.clock_dict[0] == {
        "enable": 1,
        "frequency": 100.0,
        "divisor0": 15,
        "divisor1": 1,
        "src_sel": "IOPLL",
    }


def test_memory_ports_and_what_lies_behind_them(parser: RuntimeMetadataParser, name: str) -> None:
    parameters = parser.ip_dict["zynq_ultra_ps_e_0"]["parameters"]
    assert parameters["C_MAXIGP0_DATA_WIDTH"] == "128"
    widths = {
        number: parameters[f"C_SAXIGP{number}_DATA_WIDTH"]
        for number in range(7)
        if f"C_SAXIGP{number}_DATA_WIDTH" in parameters
    }
    # HP0 is number 2 of the slave ports.
    ports = MEMORY_PORTS[name]
    assert widths == {2 + index: "128" for index in range(len(ports))}
    engine = parser.md.blocks["hwgen_engine_0"]
    reached = [
        (f"m_axi_gmem{index}", target["block"], target["baseaddr"], target["addr_range"])
        for index in range(len(ports))
        for target in engine.ports[f"m_axi_gmem{index}"].addrmap.values()
    ]
    assert reached == [
        (f"m_axi_gmem{index}", f"HP{index}_{region}", base, 1 << 31)
        for index in range(len(ports))
        for region, base in (("DDR_LOW", 0), ("DDR_HIGH", 0x8_0000_0000))
        if region == "DDR_LOW" or name in FAR_MEMORY
    ]
    assert f"m_axi_gmem{len(ports)}" not in engine.ports


class FakeDevice:
    """Registers that keep what is written, and a note of each access."""

    def __init__(self) -> None:
        self.words: dict[int, bytes] = {}
        self.read: list[int] = []

    def has_capability(self, name: str) -> bool:
        return name == "REGISTER_RW"

    def read_registers(self, address: int, length: int) -> bytes:
        self.read.append(address)
        return self.words.get(address, bytes(length))

    def write_registers(self, address: int, data: bytes) -> None:
        self.words[address] = bytes(data)


def test_the_register_map_reaches_every_word(
    parser: RuntimeMetadataParser, expected: tuple[Word, ...]
) -> None:
    device = FakeDevice()
    # The interrupt would want a board.
    description = parser.ip_dict["hwgen_engine_0"] | {"device": device, "interrupts": {}}
    registers = DefaultIP(description).register_map
    registers.CTRL.AP_START = 1
    assert device.words == {CONTROL: b"\x01\0\0\0"}
    device.words[CONTROL] = (0x20E).to_bytes(4, "little")
    control = registers.CTRL
    assert (control.AP_START, control.AP_DONE, control.AP_IDLE, control.AP_READY) == (0, 1, 1, 1)
    assert (control.AUTO_RESTART, control.INTERRUPT) == (0, 1)
    registers.gmem0_1 = 0x1234_5678
    assert device.words[CONTROL + 0x10] == bytes.fromhex("78563412")
    for word in expected:
        device.read.clear()
        device.words[CONTROL + word.offset] = (0xA5A5_0000 | word.offset).to_bytes(4, "little")
        assert getattr(registers, word.name)[31:0] == 0xA5A5_0000 | word.offset, word.name
        assert device.read == [CONTROL + word.offset]
