# SPDX-License-Identifier: Apache-2.0
"""Paths and counts of small netlists made by hand."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from hwgen.estimate.usage import Usage
from hwgen.synthesis.delay import Delay, after, union
from hwgen.synthesis.netlist import Netlist, read_netlist
from hwgen.synthesis.paths import timing, worst_paths

INPUTS = ("I", "D", "C", "A", "B", "S", "DI", "CI", "CYINIT", "CE", "WE", "in", "RADDR", "WCLK")


def netlist(
    cells: Mapping[str, tuple[str, Mapping[str, Any]]], ports: Mapping[str, tuple[str, list[int]]]
) -> Netlist:
    """Cells are (type, ports); a port's nets are one number or a list."""
    made = {}
    for name, (kind, nets) in cells.items():
        parameters = nets.get("parameters", {})
        nets = {port: [n] if isinstance(n, int) else n for port, n in nets.items()}
        nets.pop("parameters", None)
        made[name] = {
            "type": kind,
            "parameters": parameters,
            "connections": nets,
            "port_directions": {
                port: "input" if port.startswith(INPUTS) and port != "CO" else "output"
                for port in nets
            },
        }
    data = {
        "ports": {name: {"direction": way, "bits": bits} for name, (way, bits) in ports.items()},
        "cells": made,
        "netnames": {f"n{i}": {"hide_name": 0, "bits": [i]} for i in range(2, 100)},
    }
    return read_netlist(json.dumps(data).encode())


def lut(*inputs: int, to: int) -> tuple[str, dict[str, int]]:
    return f"LUT{len(inputs)}", {**{f"I{i}": n for i, n in enumerate(inputs)}, "O": to}


def register(d: int, q: int) -> tuple[str, dict[str, int]]:
    return "FDRE", {"D": d, "Q": q, "C": 2}


def carry(below: int, selects: list[int], sums: list[int], out: int) -> tuple[str, dict]:
    return "CARRY4", {"CI": below, "S": selects, "DI": [2] * 4, "O": sums, "CO": [60, 61, 62, out]}


CHAIN = {
    "start": register(9, 10),
    "low": lut(10, to=11),
    "carry_0": carry(3, [11, 3, 3, 3], [20, 21, 22, 23], 24),
    "carry_1": carry(24, [3, 3, 3, 3], [30, 31, 32, 33], 34),
    "high": lut(33, 3, to=40),
    "wide": ("MUXF7", {"I0": 40, "I1": 3, "S": 3, "O": 41}),
    "end": register(41, 42),
}


def test_a_carry_chain_counts_once_and_wide_multiplexers_not_at_all() -> None:
    found = timing(netlist(CHAIN, {}), {}).inside
    assert found.delay == Delay(luts=2, chains=1)
    assert found.nets == ("n10", "n42")
    assert found.delay.allowed


def test_a_carry_that_passes_a_lut_begins_a_new_chain() -> None:
    cells = CHAIN | {"between": lut(24, to=25), "carry_1": carry(25, [3] * 4, [30, 31, 32, 33], 34)}
    found = timing(netlist(cells, {}), {}).inside
    assert found.delay == Delay(luts=3, chains=2)
    assert not found.delay.allowed


def test_a_low_sum_does_not_depend_on_high_operands() -> None:
    cells = {
        "start": register(9, 10),
        "carry": carry(3, [3, 3, 3, 10], [20, 21, 22, 23], 24),
        "end": register(20, 42),
    }
    assert timing(netlist(cells, {}), {}).inside.delay == Delay()


@pytest.mark.parametrize(
    ("registers", "delay"),
    [
        ({}, Delay()),  # all in use
        ({"AREG": "0", "BREG": "0", "MREG": "0", "PREG": "0", "DREG": "0"}, Delay(products=1)),
        ({"AREG": "0", "BREG": "0", "MREG": "1", "PREG": "0"}, Delay()),
    ],
)
def test_products_are_as_deep_as_their_registers_say(registers: dict, delay: Delay) -> None:
    cells = {
        "start": register(9, 10),
        "product": ("DSP48E2", {"A": 10, "B": 10, "P": 11, "parameters": registers}),
        "end": register(11, 12),
    }
    found = timing(netlist(cells, {}), {}).inside
    assert found.delay == delay
    assert found.delay.allowed


def test_a_product_with_logic_behind_it_is_too_long() -> None:
    assert not Delay(luts=1, products=1).allowed
    assert Delay(luts=6, chains=1).allowed
    assert not Delay(luts=7).allowed
    assert not Delay(chains=2).allowed


def test_distributed_memory_is_read_through_its_address_and_ends_writes() -> None:
    memory = {"A0": 10, "DPRA0": 11, "D": 12, "WE": 12, "WCLK": 2, "SPO": 13, "DPO": 14}
    cells = {
        "address": register(9, 11),
        "memory": ("RAM64X1D", memory),
        "end": register(14, 15),
    }
    assert timing(netlist(cells, {}), {}).inside.delay == Delay(luts=1)


PART = netlist(
    {
        "in": lut(2, to=10),
        "in_register": register(10, 11),
        "out": lut(11, to=12),
        "through": lut(2, to=13),
        "more": lut(13, to=14),
    },
    {"in": ("input", [2]), "out": ("output", [12]), "through": ("output", [14])},
)


def test_a_unit_tells_how_far_its_ports_are_from_registers() -> None:
    found = timing(PART, {})
    assert found.ends == {("in", 0): (Delay(1),)}
    assert found.starts == {("out", 0): (Delay(1),)}
    assert found.through == {("through", 0): {("in", 0): (Delay(2),)}}


def test_paths_cross_the_borders_of_units() -> None:
    top = netlist(
        {
            "one": ("part", {"in": 3, "out": 20, "through": 30}),
            "between": lut(20, to=21),
            "two": ("part", {"in": 21, "out": 22, "through": 23}),
            "last": register(23, 24),
        },
        {"in": ("input", [3])},
    )
    found = worst_paths(top, {"part": timing(PART, {})})
    assert found["one"].delay == Delay(4)  # out of one, between, through two, to `last`
    assert found["two"].delay == Delay(3)  # what passes through it belongs to its ends
    assert (found["one"].start, found["one"].end) == ("one", "")
    assert found[""].delay == Delay(4)
    assert found["two"].nets == ("n20", "two.in")


def test_usage_counts_memories_and_shift_registers_as_luts() -> None:
    cells = {
        "a": ("RAM64M8", {}),
        "b": ("SRLC32E", {}),
        "c": lut(2, 3, to=4),
        "d": ("INV", {}),
        "e": register(4, 5),
        "f": ("RAMB18E2", {}),
        "g": ("RAMB36E2", {}),
        "h": ("DSP48E2", {}),
        "i": ("RAM256X1D", {}),
        "j": ("MUXF8", {}),
    }
    found = netlist(cells, {}).usage()
    assert found == Usage(lut=8 + 1 + 1 + 1 + 8, ff=1, dsp=1, bram36=2)


def test_fronts_keep_what_nothing_else_exceeds() -> None:
    one, other = (Delay(5, 0),), (Delay(2, 1),)
    both = union(one, other)
    assert both == (Delay(2, 1), Delay(5, 0))
    assert union(both, (Delay(5, 1),)) == (Delay(5, 1),)
    assert after(both, (Delay(1, 1),)) == (Delay(3, 2), Delay(6, 1))


def test_a_loop_without_a_register_is_named() -> None:
    cells = {"a": lut(20, to=21), "b": lut(21, to=20), "end": register(21, 22)}
    with pytest.raises(ValueError, match="combinational loop through n2"):
        timing(netlist(cells, {}), {})
