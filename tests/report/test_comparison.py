# SPDX-License-Identifier: Apache-2.0
import pytest

from hwgen.report.comparison import SMALL, compare
from hwgen.report.figures import rates
from hwgen.report.schema import Report


def test_before_simulation_only_the_prediction_is_known(report: Report) -> None:
    found = compare(report)
    assert (found.total.measured, found.total.error, found.worst) == (None, None, None)
    assert found.total.known == report.cycles.predicted
    assert found.busy[0] + sum(p for _, p, _ in found.stalls) == report.cycles.predicted
    assert {m for _, _, m in found.stalls} == {None}
    assert rates(report) == ((300.0, pytest.approx(report.fps)),)


def test_errors_after_simulation(measured: Report) -> None:
    found, rtl = compare(measured), measured.verification.rtl
    assert rtl is not None
    assert found.total.known == rtl.cycles
    assert found.total.error == measured.cycles.predicted / rtl.cycles - 1 < 0
    assert found.busy[0] == found.busy[1] == rtl.busy
    assert rtl.busy + sum(m or 0 for _, _, m in found.stalls) == rtl.cycles
    waits = {cause: (p, m) for cause, p, m in found.stalls}
    before, after = waits["pipeline"]
    assert after == before + 10 * len(measured.instructions)
    assert all(p == m for cause, (p, m) in waits.items() if cause != "pipeline")
    # Ten cycles are the more the shorter an instruction is; small ones do not count.
    large = [i for i, c in enumerate(found.instructions) if (c.measured or 0) >= SMALL * rtl.cycles]
    assert 0 < len(large) < len(found.instructions)
    shortest = min(large, key=lambda i: found.instructions[i].predicted)
    assert found.worst is not None
    assert found.instructions[found.worst].predicted == found.instructions[shortest].predicted


def test_rates_leave_out_clocks_for_which_cycles_may_be_more(measured: Report) -> None:
    cycles = compare(measured).total.known
    assert [clock for clock, _ in rates(measured)] == [150, 200, 300]
    slower = measured.model_copy(update={"clock_mhz": 180.0})
    assert rates(slower) == ((150.0, 150e6 / cycles), (180.0, 180e6 / cycles))
