# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from hwgen.errors import ConfigError, DataError
from hwgen.prune.latency import LatencyTable
from hwgen.prune.plan import Request, fixed_stages, load_stages, save_stages
from hwgen.prune.schedule import Stage, milliseconds


def stages(table: LatencyTable, **request: object) -> tuple[Stage, ...] | None:
    return fixed_stages(Request(**request), "tiny", 4, table)


def test_given_blocks_and_ratios_are_the_stages(table: LatencyTable) -> None:
    found = stages(table, selectors=(2, 4), keep=(0.5, 0.25))
    assert found == (Stage(2, 0.5), Stage(4, 0.25))


def test_ratios_follow_from_a_target(table: LatencyTable) -> None:
    found = stages(table, selectors=(2, 4), target_ms=0.35)
    assert found is not None
    assert milliseconds(table, found) == pytest.approx(0.35, rel=1e-3)


def test_a_target_alone_leaves_the_stages_open(table: LatencyTable) -> None:
    assert stages(table, target_ms=0.40) is None


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "Nothing says how far to prune"),
        ({"keep": (0.5,)}, "Keep ratios were given without blocks"),
        ({"selectors": (2,)}, "without keep ratios or a target latency"),
        ({"selectors": (2, 3), "keep": (0.5,)}, "1 keep ratios were given for 2"),
        ({"selectors": (1,), "keep": (0.5,)}, "front of block 1: .* blocks from 2 to 4"),
        ({"selectors": (5,), "keep": (0.5,)}, "front of block 5: .* blocks from 2 to 4"),
        ({"selectors": (3, 2), "keep": (0.5, 0.4)}, "must ascend"),
        ({"selectors": (2,), "keep": (0.0,)}, "above 0 and at most 1"),
        ({"selectors": (2,), "keep": (1.5,)}, "above 0 and at most 1"),
        ({"selectors": (2, 3), "keep": (0.3, 0.5)}, "rises from 0.3 to 0.5 at block 3"),
        (
            {"selectors": (2,), "keep": (0.9,), "target_ms": 0.3},
            r"take 0\.43 ms, more than .* 0\.3 ms.*0\.235 to 0\.45 ms are reachable",
        ),
        (
            {"selectors": (2,), "target_ms": 0.2},
            r"0\.2 ms is below what is reachable.*reaches 0\.235 ms",
        ),
        ({"target_ms": 0.3}, r"0\.3 ms is below .* in front of block 4, .* 0\.385 ms"),
        ({"target_ms": -1}, "must be above 0"),
        ({"target_ms": 1, "threshold": 1.0}, "between 0 and 1"),
        ({"target_ms": 1, "features": 0}, "0 features is not possible"),
    ],
)
def test_impossible_requests_are_refused(
    table: LatencyTable, request_: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        stages(table, **request_)


def test_a_table_of_another_model_is_refused(table: LatencyTable) -> None:
    with pytest.raises(ConfigError, match="of 'tiny' with 4 blocks; 'large' has 12"):
        fixed_stages(Request(target_ms=1), "large", 12, table)


def test_stages_are_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    save_stages([Stage(3, 0.42), Stage(5, 0.22)], path)
    assert load_stages(path) == (Stage(3, 0.42), Stage(5, 0.22))
    path.write_text("[3]")
    with pytest.raises(DataError, match="holds the schedule of the run to resume"):
        load_stages(path)
    with pytest.raises(DataError, match="cannot be read"):
        load_stages(tmp_path / "missing.json")
