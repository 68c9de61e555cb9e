# SPDX-License-Identifier: Apache-2.0
"""The cycle model's latencies are those that the SystemVerilog states."""

import re
from collections.abc import Mapping

import pytest

from hwgen.estimate import latency
from hwgen.package_data import data_folder

_CONSTANT = re.compile(r"localparam int (\w+) = ([\w\s+]+);")


def stated() -> Mapping[str, int]:
    """The constants of ``latency_pkg.sv``: sums of numbers and of constants before them."""
    values: dict[str, int] = {}
    for name, terms in _CONSTANT.findall(
        (data_folder("kernels_rtl") / "latency_pkg.sv").read_text()
    ):
        parts = [term.strip() for term in terms.split("+")]
        values[name] = sum(int(part) if part.isdigit() else values[part] for part in parts)
    return values


@pytest.mark.parametrize("name", sorted(set(stated()) & set(vars(latency))))
def test_a_latency_is_that_of_the_module(name: str) -> None:
    assert getattr(latency, name) == stated()[name]


def test_the_units_of_token_selection_are_among_them() -> None:
    assert {"SIGMOID", "TOKEN_DECISION", "ROW_SUMS", "MEAN_RATIO"} <= stated().keys()
