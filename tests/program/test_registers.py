# SPDX-License-Identifier: Apache-2.0
"""The register map follows Vitis HLS' rules and names."""

from itertools import pairwise

import pytest

from hwgen.program.engine import EngineConfig
from hwgen.program.registers import CONTROL, COUNTERS, STALLS, register_map, registers, words

EACH_SIZE = pytest.mark.parametrize("lanes", [16, 32, 64])


def test_control_has_the_names_of_vitis_hls() -> None:
    found = [(r.offset, r.name, [(f.name, f.low, f.width) for f in r.fields]) for r in CONTROL]
    assert found == [
        (
            0x0,
            "CTRL",
            [
                ("AP_START", 0, 1),
                ("AP_DONE", 1, 1),
                ("AP_IDLE", 2, 1),
                ("AP_READY", 3, 1),
                ("AUTO_RESTART", 7, 1),
                ("INTERRUPT", 9, 1),
            ],
        ),
        (0x4, "GIER", [("Enable", 0, 1)]),
        (0x8, "IP_IER", [("CHAN0_INT_EN", 0, 1), ("CHAN1_INT_EN", 1, 1)]),
        (0xC, "IP_ISR", [("CHAN0_INT_ST", 0, 1), ("CHAN1_INT_ST", 1, 1)]),
    ]


def test_four_ports() -> None:
    found = [(r.name, r.offset, r.bits) for r in registers(EngineConfig(lanes=64))]
    assert found == [
        ("gmem0", 0x10, 64),
        ("gmem1", 0x1C, 64),
        ("gmem2", 0x28, 64),
        ("gmem3", 0x34, 64),
        ("output", 0x40, 64),
        ("program", 0x4C, 64),
        ("weights", 0x58, 64),
        ("input", 0x64, 64),
        ("error_code", 0x70, 32),
        ("error_code_ctrl", 0x74, 32),
    ]


def test_one_port() -> None:
    names = {r.name: r.offset for r in registers(EngineConfig(lanes=16))}
    assert names["output"] == 0x1C and names["error_code"] == 0x4C and "gmem1" not in names


@EACH_SIZE
def test_no_register_lies_on_another(lanes: int) -> None:
    found = register_map(EngineConfig(lanes=lanes))
    for before, after in pairwise(found):
        assert before.offset + before.bits // 8 <= after.offset
    assert len({register.name for register in found}) == len(found)
    for register in found:
        for before, after in pairwise(register.fields):
            assert before.mask & after.mask == 0 and before.low < after.low
    assert COUNTERS[0].offset == 0x100
    assert not any(register.writable for register in COUNTERS)


def test_only_the_rtl_engine_has_counters() -> None:
    engine = EngineConfig()
    assert register_map(engine) == (*register_map(engine, counters=False), *COUNTERS)
    assert max(word.offset for word in words(engine, counters=False)) < 0x100
    assert [counter.name for counter in COUNTERS] == [
        "version",
        "digest",
        "cycles",
        *(stall.name for stall in STALLS),
    ]


@EACH_SIZE
def test_words_cover_every_register(lanes: int) -> None:
    engine = EngineConfig(lanes=lanes)
    found = words(engine)
    assert sum(r.bits for r in register_map(engine)) == 32 * len(found)
    assert len({word.offset for word in found}) == len(found)
    by_name = {word.name: word for word in found}
    low, high = by_name["gmem0_1"], by_name["gmem0_2"]
    assert (low.offset, high.offset, low.access) == (0x10, 0x14, "read-write")
    assert [(f.name, f.low, f.width) for f in high.fields] == [("gmem0", 0, 32)]
    assert by_name["cycles_2"].offset == 0x10C and by_name["cycles_2"].access == "read-only"
    assert by_name["CTRL"].fields == CONTROL[0].fields
    assert by_name["error_code_ctrl"].fields[0].name == "error_code_ap_vld"
