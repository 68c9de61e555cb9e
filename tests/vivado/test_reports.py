# SPDX-License-Identifier: Apache-2.0
"""Vivado's reports, in the form of 2020.2 and of 2024.1; see fixtures/README.md."""

from pathlib import Path

import pytest

from hwgen.emit.hwh import ENGINE
from hwgen.errors import ToolError
from hwgen.report.schema import Resources
from hwgen.vivado.reports import instance_utilisation, timing, utilisation

FIXTURES = Path(__file__).parent / "fixtures"


def altered(tmp_path: Path, name: str, old: str, new: str) -> Path:
    text = (FIXTURES / name).read_text()
    assert old in text
    path = tmp_path / name
    path.write_text(text.replace(old, new))
    return path


def test_utilisation_of_a_device_with_ultra_ram() -> None:
    found = utilisation(FIXTURES / "2020.2-utilization.rpt")
    # 271.5 tiles of block RAM: the half one counts.
    assert found == Resources(lut=98_211, ff=141_907, dsp=641, bram36=272, uram=0)


def test_utilisation_with_a_column_of_prohibited_sites() -> None:
    found = utilisation(FIXTURES / "2024.1-utilization.rpt")
    assert found == Resources(lut=186_402, ff=287_551, dsp=2_281, bram36=640, uram=None)


def test_a_star_behind_the_name_does_no_harm(tmp_path: Path) -> None:
    path = altered(tmp_path, "2020.2-utilization.rpt", "| CLB LUTs  ", "| CLB LUTs* ")
    assert utilisation(path).lut == 98_211


def test_utilisation_of_the_engine_alone() -> None:
    found = instance_utilisation(FIXTURES / "2020.2-hierarchy.rpt", ENGINE)
    assert found == Resources(lut=91_530, ff=131_048, dsp=641, bram36=271, uram=0)
    found = instance_utilisation(FIXTURES / "2024.1-hierarchy.rpt", ENGINE)
    assert found == Resources(lut=174_744, ff=268_300, dsp=2_281, bram36=640, uram=None)


def test_the_older_name_of_the_dsp_column(tmp_path: Path) -> None:
    path = altered(tmp_path, "2020.2-hierarchy.rpt", "DSP Blocks", "DSP48 Blocks")
    assert instance_utilisation(path, ENGINE).dsp == 641


def test_timing_that_is_met() -> None:
    found = timing(FIXTURES / "2020.2-timing.rpt", "rtl", 300)
    assert found.met
    assert (found.worst_slack_ns, found.worst_hold_slack_ns) == (0.041, 0.010)
    assert found.failing_endpoints == 0
    assert found.achieved_mhz == pytest.approx(1000 / (3.333 - 0.041), abs=0.05)
    assert (found.engine, found.clock_mhz) == ("rtl", 300)


def test_timing_that_is_not_met() -> None:
    found = timing(FIXTURES / "2024.1-timing.rpt", "hls", 300)
    assert not found.met
    assert found.worst_slack_ns == -0.287
    assert found.failing_endpoints == 2_951
    assert found.achieved_mhz == pytest.approx(1000 / (3.333 + 0.287), abs=0.05)
    assert found.engine == "hls"


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("2020.2-timing.rpt", "All user specified", "Some", "does not say whether timing is met"),
        ("2020.2-timing.rpt", "Design Timing Summary", "Summary", "under 'Design Timing Summary'"),
        ("2020.2-timing.rpt", "clk_out1_", "other_", "names no clock clk_out1_"),
        ("2020.2-timing.rpt", "| Intra Clock Table", "| Intra", "under 'Intra Clock Table'"),
        ("2024.1-timing.rpt", "    -0.287", "        NA", "'NA' stands where a number should"),
    ],
)
def test_what_is_no_timing_summary(
    tmp_path: Path, name: str, old: str, new: str, expected: str
) -> None:
    path = altered(tmp_path, name, old, new)
    with pytest.raises(ToolError) as caught:
        timing(path, "rtl", 300)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


def test_what_is_no_utilisation_report(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="no row 'CLB LUTs'"):
        utilisation(FIXTURES / "2020.2-timing.rpt")
    with pytest.raises(ToolError, match="it is no hierarchical utilisation report"):
        instance_utilisation(FIXTURES / "2020.2-utilization.rpt", ENGINE)
    with pytest.raises(ToolError, match="no row of the instance 'other'"):
        instance_utilisation(FIXTURES / "2020.2-hierarchy.rpt", "other")
    path = altered(tmp_path, "2020.2-hierarchy.rpt", "Total LUTs", "Slice LUTs")
    with pytest.raises(ToolError, match="no column 'Total LUTs'"):
        instance_utilisation(path, ENGINE)
    path = altered(tmp_path, "2020.2-utilization.rpt", " 98211 |", "  many |")
    with pytest.raises(ToolError, match="'many' stands where a number should"):
        utilisation(path)
    with pytest.raises(ToolError, match="cannot be read: No such file"):
        utilisation(tmp_path / "none.rpt")
