# SPDX-License-Identifier: Apache-2.0
"""The units of the nonlinear functions, synthesised one by one, and the page about them."""

import re

import pytest

from bench import units
from hwgen.synthesis.netlist import Netlist
from hwgen.synthesis.paths import timing

ROW = re.compile(r"^\| [^|]+ \| `(\w+)` \|.* \| ([\d,]+) \| ([\d,]+) \| (\d+) \| (\d+) \|.*$", re.M)
"""Module, FF, LUT, DSP, BRAM36."""


@pytest.fixture(scope="module")
def netlists() -> dict[str, Netlist]:
    return {unit.module: netlist for unit, netlist in units.netlists().items()}


def test_the_page_is_current(netlists: dict[str, Netlist]) -> None:
    found = {
        module: [int(figure.replace(",", "")) for figure in figures]
        for module, *figures in ROW.findall((units.FOLDER / "units.md").read_text())
    }
    assert found.keys() == netlists.keys()
    for module, (ff, lut, dsp, bram36) in found.items():
        usage = netlists[module].usage()
        assert (ff, lut) == pytest.approx((usage.ff, usage.lut), rel=0.02, abs=2), module
        assert (dsp, bram36) == (usage.dsp, usage.bram36), module


def test_the_token_decision_has_no_multipliers(netlists: dict[str, Netlist]) -> None:
    """The default engine leaves two of the device's."""
    assert netlists["token_decision"].usage().dsp == 0


def test_every_path_is_short(netlists: dict[str, Netlist]) -> None:
    paths = {name: timing(netlist, {}).inside.delay for name, netlist in netlists.items()}
    assert not {name: str(delay) for name, delay in paths.items() if not delay.allowed}
