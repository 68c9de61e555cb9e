# SPDX-License-Identifier: Apache-2.0
from collections import Counter
from pathlib import Path

from sim.runner import MAC_ARRAY
from sim.synthesis import synthesise

LANES = 64
TREE_REGISTERS = 2 * (4 * 19 + 2 * 20 + 21)
STROBE_REGISTERS = 3 * 8


def test_the_size_of_a_column_pair(tmp_path: Path) -> None:
    """Packing, splitting and the sign of the low lane cost nothing beside the adder trees."""
    pair = synthesise("column_pair", MAC_ARRAY, tmp_path, {"LANES": LANES, "PRIMITIVE": 1})
    assert pair.count("DSP48E2") == LANES
    assert pair.count("FD") == TREE_REGISTERS + STROBE_REGISTERS
    assert pair.count("LUT", "INV") <= TREE_REGISTERS
    assert not pair.count("RAM", "SRL")
    # One adder of 21 bits between two registers.
    assert pair.longest_path == Counter(LUT2=1, CARRY4=6)
