# SPDX-License-Identifier: Apache-2.0
"""Board descriptions: the ones shipped, and what is refused."""

from pathlib import Path

import pytest

from hwgen.boards import board_names, load_board
from hwgen.errors import ConfigError
from hwgen.estimate.timing import timing_for
from hwgen.package_data import data_folder

ZCU102 = data_folder("boards") / "zcu102" / "board.yaml"


def damaged(tmp_path: Path, old: str, new: str) -> Path:
    text = ZCU102.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "board.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_known_boards() -> None:
    assert {"zcu102", "zcu104", "kv260", "ultra96v2"} <= set(board_names())


@pytest.mark.parametrize("name", board_names())
def test_each_board_is_consistent(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert len(board.ports) >= board.engine.ports
    assert all(port.width == 128 for port in board.ports)
    assert board.ddr.usable_gbps <= board.ddr.peak_gbps
    for kind, amount in board.usable:
        device = getattr(board.resources, kind)
        assert amount is None or device is None or amount <= device


@pytest.mark.parametrize("name", board_names())
def test_what_vivado_and_the_driver_need_of_each_board(name: str) -> None:
    board = load_board(name)
    assert board.board_part.endswith(":part0")
    memory = board.memory_map
    assert (memory.control.base, memory.control.bytes) == (0xA000_0000, 0x1_0000)
    assert (memory.axi_intc.base, memory.axi_intc.end) == (0xA001_0000, 0xA002_0000)
    assert (memory.ddr_low.base, memory.ddr_low.bytes) == (0, 0x8000_0000)
    # Two of them have 4 GB.
    assert (memory.ddr_high is not None) == (name in ("zcu102", "kv260"))
    assert [port.name for port in board.memory_ports(board.engine)] == [
        f"S_AXI_HP{index}_FPD" for index in range(board.engine.ports)
    ]


def test_a_written_description_reads_the_same(tmp_path: Path) -> None:
    for name in board_names():
        path = tmp_path / f"{name}.yaml"
        path.write_text(load_board(name).to_yaml())
        assert load_board(path) == load_board(name)


def test_an_engine_with_more_ports_than_the_board() -> None:
    with pytest.raises(ConfigError, match="64 lanes has 4 memory ports, but the board kv260 gives"):
        load_board("kv260").memory_ports(load_board("zcu102").engine)


def test_zcu102() -> None:
    board = load_board("zcu102")
    assert (board.resources.lut, board.resources.ff) == (274_080, 548_160)
    assert (board.resources.dsp, board.resources.bram36) == (2_520, 912)
    assert not board.ultra_ram
    assert load_board("kv260").ultra_ram


def test_a_path_is_a_board_too(tmp_path: Path) -> None:
    path = damaged(tmp_path, "name: zcu102", "name: mine")
    assert load_board(path).name == "mine"
    assert load_board(str(path)).name == "mine"


def test_timing_follows_board_and_clock() -> None:
    board = load_board("zcu102")
    assert timing_for(board).ddr_bytes == pytest.approx(12.8e9 / 300e6)
    assert timing_for(board, 150).ddr_bytes == pytest.approx(12.8e9 / 150e6)


def test_unknown_board() -> None:
    with pytest.raises(ConfigError) as caught:
        load_board("zcu012")
    message = str(caught.value)
    assert "There is no board 'zcu012'" in message
    assert "kv260, ultra96v2, zcu102, zcu104" in message
    assert "Did you mean 'zcu102'?" in message


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("dsp: 2520\n  bram36: 912", "bram36: 912", "key 'resources.dsp' is missing"),
        ("lut: 274080", "lut: many", "resources.lut is 'many', but it should be"),
        ("lut: 274080", "lut: -1", "resources.lut is -1, but it should be greater"),
        ("clock_mhz: 300", "clock: 300", "key 'clock_mhz' is missing"),
        ("peak_gbps: 17.07", "peak_gbps: 0", "ddr.peak_gbps is 0, but it should be greater"),
        ("lanes: 64", "lanes: 48", "engine.lanes is 48"),
        ("lanes: 64", "lane: 64", "key 'engine.lanes' is missing"),
        ("max_rows: 1024", "max_rows: 1024\n  rows: 1", "key 'engine.rows' is unknown"),
        ("ports:", "ports: [", "line"),
        ("name: zcu102", "name: ''", "name is '', but it should have at least 1 character"),
        ("name: zcu102", 'name: "a\\nb"', "name is 'a\\nb', but it should be one line of text"),
        ("xczu9eg-ffvb1156-2-e", "'[exit]'", "part is '[exit]', but it should be letters, dig"),
        ("xilinx.com:zcu102:part0", "zcu102", "board_part is 'zcu102', but it should be of the"),
        ("cell: zynq_ultra_ps_e", "cell: processing_system7", "ps.cell is 'processing_system7'"),
        ("M_AXI_HPM0_FPD\n", "M_AXI_GP0\n", "ps.control_port is 'M_AXI_GP0', but it should be one"),
        ("pl_ps_irq0", "irq_f2p", "ps.interrupt is 'irq_f2p', but it should be 'pl_ps_irq0' or"),
        ("reference: pl_clk0", "reference: fclk0", "clocks.reference is 'fclk0'"),
        (
            "reference_mhz: 100",
            "reference_mhz: 0",
            "clocks.reference_mhz is 0, but it should be gr",
        ),
        ("S_AXI_HP3_FPD", "S_AXI_HP4_FPD", "ports.3.name is 'S_AXI_HP4_FPD', but it should be one"),
        ("S_AXI_HP3_FPD", "S_AXI_HP2_FPD", "ports names S_AXI_HP2_FPD twice"),
        (
            "control: {base: 0xA0000000",
            "control: {base: 0xA0008000",
            "memory_map.control is 0xa0008000 to 0xa0017fff; its bytes should be a power of two,",
        ),
        (
            "control: {base: 0xA0000000",
            "control: {base: 0xB0000000",
            "memory_map.control is 0xb0000000 to 0xb000ffff; M_AXI_HPM0_FPD reaches 0xa0000000 to",
        ),
        (
            "axi_intc: {base: 0xA0010000",
            "axi_intc: {base: 0xA0000000",
            "memory_map.axi_intc is 0xa0000000 to 0xa000ffff, and control is 0xa0000000 to",
        ),
        ("axi_intc: {base", "intc: {base", "key 'memory_map.axi_intc' is missing"),
        ("0xA0010000, bytes: 0x10000", "0xA0012000, bytes: 0x3000", "should be a power of two"),
        ("0xA0010000, bytes: 0x10000", "0xA0010000, bytes: 1024", "axi_intc.bytes is 1024"),
        (
            "0x0, bytes: 0x80000000",
            "0x0, bytes: 0x100000000",
            "memory_map.ddr_low is 0x0 to 0xffffffff; it should begin at 0x0 and end before",
        ),
        (
            "ddr_high: {base: 0x800000000",
            "ddr_high: {base: 0x80000000",
            "memory_map.ddr_high is 0x80000000 to 0xffffffff; it should begin at 0x800000000 and",
        ),
    ],
)
def test_damaged_description(tmp_path: Path, old: str, new: str, expected: str) -> None:
    path = damaged(tmp_path, old, new)
    with pytest.raises(ConfigError) as caught:
        load_board(path)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_board(tmp_path / "none.yaml")
    empty = tmp_path / "empty.yaml"
    empty.touch()
    with pytest.raises(ConfigError, match=r"empty\.yaml"):
        load_board(empty)
