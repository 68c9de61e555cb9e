# SPDX-License-Identifier: Apache-2.0
import pytest

from hwgen.errors import ConfigError
from hwgen.prune.latency import LatencyTable
from hwgen.prune.schedule import (
    Stage,
    check_stages,
    for_target,
    merged,
    milliseconds,
    reachable,
    search,
)


def test_latency_follows_the_stages(table: LatencyTable) -> None:
    assert milliseconds(table, []) == pytest.approx(0.450)
    stages = [Stage(2, 0.5), Stage(4, 0.25)]
    assert milliseconds(table, stages) == pytest.approx(0.050 + 0.225 + 0.010 + 0.005)


def test_shares_below_the_table_count_as_its_smallest(table: LatencyTable) -> None:
    assert milliseconds(table, [Stage(2, 0.1)]) == milliseconds(table, [Stage(2, 0.25)])


def test_ratios_for_a_target_are_powers_and_just_reach_it(table: LatencyTable) -> None:
    first, second = for_target(table, [2, 3], 0.350)
    assert (first.block, second.block) == (2, 3)
    assert second.keep == pytest.approx(first.keep**2)
    assert milliseconds(table, [first, second]) == pytest.approx(0.350, rel=1e-3)
    assert milliseconds(table, [first, second]) <= 0.350


def test_targets_beyond_reach_state_the_range(table: LatencyTable) -> None:
    shortest, dense = reachable(table, [3])
    assert (shortest, dense) == (pytest.approx(0.310), pytest.approx(0.450))
    with pytest.raises(ConfigError, match=r"0\.3 ms is below .* reaches 0\.31 ms .* to 0\.45 ms"):
        for_target(table, [3], 0.3)
    with pytest.raises(ConfigError, match=r"0\.5 ms needs no pruning.* to 0\.45 ms"):
        for_target(table, [3], 0.5)


def test_selectors_that_cost_more_than_they_save_are_refused(table: LatencyTable) -> None:
    heavy = table.model_copy(update={"selector_cycles": ((500.0,) * 4,) * 4})
    with pytest.raises(ConfigError, match=r"longer than they save: 0\.875 ms at least, 0\.45 ms"):
        for_target(heavy, [4], 0.4)


@pytest.mark.parametrize("keep", [0.0, -0.5, 1.01])
def test_ratios_outside_0_to_1_are_refused(keep: float) -> None:
    with pytest.raises(ConfigError, match="above 0 and at most 1"):
        check_stages([Stage(2, keep)])


def test_rising_ratios_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"rises from 0\.4 to 0\.6 at block 3.*0\.7,0\.5,0\.35"):
        check_stages([Stage(2, 0.4), Stage(3, 0.6)])
    check_stages([Stage(2, 0.4), Stage(3, 0.4)])


def test_similar_neighbours_become_one() -> None:
    stages = [Stage(4, 1.0), Stage(5, 0.8), Stage(6, 0.75), Stage(7, 0.69), Stage(8, 0.3)]
    # 0.69 is more than 0.1 below 0.8, so a chain of small steps does not end in one stage.
    assert merged(stages, 0.1) == (Stage(5, 0.75), Stage(7, 0.69), Stage(8, 0.3))


def test_search_lowers_the_last_block_first_and_stops_at_the_target(table: LatencyTable) -> None:
    tried: list[tuple[Stage, ...]] = []

    def tune(stages: tuple[Stage, ...]) -> float:
        tried.append(stages)
        return 0.9

    stages = search(table, 0.400, tune, 0.9, first_block=2)
    assert [stage.block for stage in tried[0]] == [4]
    assert tried[0][0].keep == pytest.approx(0.9)
    assert tried[1][0].keep == pytest.approx(0.8)
    assert stages == (Stage(4, pytest.approx(0.4)),)
    assert milliseconds(table, stages) <= 0.400
    assert milliseconds(table, tried[-2]) > 0.400


def test_search_goes_to_earlier_blocks_where_accuracy_is_lost(table: LatencyTable) -> None:
    """Every token dropped costs accuracy, in the last block half as much as in others."""

    def tune(stages: tuple[Stage, ...]) -> float:
        lost = 0.0
        for block in range(1, 5):
            keep = min((s.keep for s in stages if s.block <= block), default=1.0)
            lost += (1 - keep) * (0.008 if block == 4 else 0.016)
        return 0.9 - lost

    stages = search(table, 0.380, tune, 0.9, first_block=2, allowed_drop=0.01)
    assert milliseconds(table, stages) <= 0.380
    assert tune(stages) >= 0.9 - 0.01 - 0.002  # merging takes a little more
    assert stages[0].block < 4
    check_stages(stages)


def test_search_beyond_the_allowed_drop_still_reaches_the_target(table: LatencyTable) -> None:
    lines: list[str] = []
    stages = search(table, 0.300, lambda stages: 0.5, 0.9, first_block=2, log=lines.append)
    assert milliseconds(table, stages) <= 0.300
    assert "is not reached within 0.5 points" in lines[-1]


def test_search_refuses_a_target_beyond_reach(table: LatencyTable) -> None:
    with pytest.raises(ConfigError, match="below what is reachable"):
        search(table, 0.1, lambda stages: 0.9, 0.9)
