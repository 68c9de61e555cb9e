# SPDX-License-Identifier: Apache-2.0
"""The units of the nonlinear functions, synthesised one by one."""

import pytest

from hwgen.synthesis.functions import synthesise_functions
from hwgen.synthesis.netlist import Netlist
from hwgen.synthesis.paths import timing


@pytest.fixture(scope="module")
def netlists() -> dict[str, Netlist]:
    return {unit.module: netlist for unit, netlist in synthesise_functions().items()}


@pytest.mark.parametrize(
    ("module", "slices"),
    [
        ("gelu_lane", 4),
        ("sigmoid_lane", 0),
        ("token_decision", 0),  # the default engine leaves two
        ("exponential", 3),
        ("reciprocal", 3),
        ("softmax_row", 3 + 4),
    ],
)
def test_multipliers(netlists: dict[str, Netlist], module: str, slices: int) -> None:
    assert netlists[module].usage().dsp == slices


def test_every_path_is_short(netlists: dict[str, Netlist]) -> None:
    paths = {name: timing(netlist, {}).inside.delay for name, netlist in netlists.items()}
    assert not {name: str(delay) for name, delay in paths.items() if not delay.allowed}
