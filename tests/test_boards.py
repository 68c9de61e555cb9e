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
