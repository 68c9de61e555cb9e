# SPDX-License-Identifier: Apache-2.0
"""The register map follows Vitis HLS' rules."""

from itertools import pairwise

from hwgen.emit.registers import CONTROL, COUNTERS, registers
from hwgen.program.engine import EngineConfig


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
    ]


def test_one_port() -> None:
    names = {r.name: r.offset for r in registers(EngineConfig(lanes=16))}
    assert names["output"] == 0x1C and names["error_code"] == 0x4C and "gmem1" not in names


def test_no_register_lies_on_another() -> None:
    found = [*CONTROL, *registers(EngineConfig(lanes=64)), *COUNTERS]
    for before, after in pairwise(found):
        assert before.offset + before.bits // 8 <= after.offset
    # error_code's valid flag takes the word after it.
    assert registers(EngineConfig(lanes=64))[-1].offset + 8 <= COUNTERS[0].offset == 0x100
    assert len({register.name for register in found}) == len(found)
    assert not any(register.writable for register in COUNTERS)
