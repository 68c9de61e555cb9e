# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from hwgen.errors import ConfigError, DataError
from hwgen.prune.latency import LatencyTable


def test_cycles_are_those_of_each_part(table: LatencyTable) -> None:
    assert table.cycles([1, 1, 1, 1]) == 50 + 400
    # The second selector sees what the first one left.
    assert table.cycles([1, 0.5, 0.5, 0.25], selectors=[2, 4]) == 50 + 225 + 10 + 5
    assert table.milliseconds(1000) == 1


def test_shares_between_the_measured_ones_are_interpolated(table: LatencyTable) -> None:
    assert table.block(1, 0.625) == pytest.approx(62.5)
    assert table.selector(3, 0.9) == pytest.approx(9)


def test_keep_for_is_the_inverse(table: LatencyTable) -> None:
    for keep in (0.25, 0.3, 0.5, 0.61, 0.75, 0.99, 1.0):
        assert table.keep_for(2, table.block(2, keep)) == pytest.approx(keep)
    assert table.keep_for(1, 1e9) == 1
    assert table.keep_for(1, 0) == 0.25


def test_keep_for_takes_the_most_tokens_of_equal_cycles(table: LatencyTable) -> None:
    flat = table.model_copy(update={"block_cycles": ((100, 60, 60, 20),) * 4})
    assert flat.keep_for(1, 60) == 0.75
    # 0.5 was measured slower than 0.75: the cycles of 0.75 do for it.
    odd = table.model_copy(update={"block_cycles": ((100, 60, 62, 20),) * 4})
    assert odd.keep_for(1, 61) == pytest.approx(0.75 + 0.25 / 40)


def test_a_saved_table_is_read_back(table: LatencyTable, tmp_path: Path) -> None:
    path = tmp_path / "latency.json"
    table.save(path)
    assert LatencyTable.load(path) == table


def test_shares_that_were_not_measured_are_refused(table: LatencyTable) -> None:
    with pytest.raises(ConfigError, match=r"keep ratio 0\.1 is outside .* from 0\.25 to 1"):
        table.cycles([1, 1, 1, 0.1])
    with pytest.raises(ConfigError, match="3 keep ratios were given for the 4 blocks"):
        table.cycles([1, 1, 1])
    with pytest.raises(ConfigError, match="front of block 5: 'tiny' has 4 blocks"):
        table.cycles([1, 1, 1, 1], selectors=[5])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keep_ratios": [0.9, 0.5, 0.4, 0.2]}, "must begin with 1"),
        ({"keep_ratios": [1, 0.5, 0.75, 0.25]}, "must descend"),
        ({"block_cycles": [[1, 2]]}, "1 blocks, but selector_cycles for 4"),
        ({"selector_cycles": [[1, 1, 1]] * 4}, "block 1 has 3 entries for 4 keep_ratios"),
        ({"clock_mhz": 0}, "clock_mhz: Input should be greater than 0"),
        ({"outside_cycles": -1}, "outside_cycles"),
        ({"outside_cycles": 1e300}, "outside_cycles"),
        ({"outside_cycles": 0, "block_cycles": [[0] * 4] * 4}, "no block takes a cycle"),
        ({"keep_ratios": [1, 0.75, 0.5, float("nan")]}, "keep_ratios must"),
    ],
)
def test_a_wrong_file_is_refused(
    table: LatencyTable, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "latency.json"
    path.write_text(json.dumps(table.model_dump() | change))
    with pytest.raises(DataError, match=rf"is no latency table \(.*{message}") as error:
        LatencyTable.load(path)
    assert "hwgen latency-table" in str(error.value)


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        LatencyTable.load(tmp_path / "missing.json")
    with pytest.raises(DataError, match="is a folder"):
        LatencyTable.load(tmp_path)
    (tmp_path / "text.json").write_text("not json")
    with pytest.raises(DataError, match="is no latency table"):
        LatencyTable.load(tmp_path / "text.json")
