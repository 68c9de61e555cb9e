# SPDX-License-Identifier: Apache-2.0
"""Token registers: what each instruction takes from them, and what TOKEN_SELECT writes."""

from dataclasses import fields

import numpy as np

from hwgen.program.fields import FIELDS, Opcode
from hwgen.program.instructions import TokenSelect, decode
from hwgen.program.tokens import TOKEN_REGISTERS, resolve, selected

TOKENS = [100 + register for register in range(TOKEN_REGISTERS)]

TAKEN = {
    Opcode.MATMUL: {"rows_register": ["rows"], "source_offset_register": ["source_address"]},
    Opcode.ATTENTION: {
        "rows_register": ["rows"],
        "keys_register": ["keys"],
        "query_offset_register": ["query_address", "destination_address"],
        "key_offset_register": ["key_address", "value_address"],
    },
    Opcode.TOKEN_SELECT: {
        "rows_register": ["rows"],
        "source_offset_register": ["source_address"],
        "destination_offset_register": ["destination_address"],
    },
}


def test_each_register_changes_its_own_fields_alone() -> None:
    for opcode, registers in TAKEN.items():
        words = np.zeros(16, np.uint32)
        words[0] = opcode
        for name, changed in registers.items():
            field = next(field for field in FIELDS[opcode] if field.name == name)
            for register in range(TOKEN_REGISTERS + 1):
                named = words.copy()
                named[field.word] |= register << field.low
                op = decode(named)
                found = resolve(op, TOKENS)
                before = resolve(decode(words), TOKENS)
                expected = TOKENS[register - 1] if register else 0
                for item in fields(op):
                    value = getattr(found, item.name)
                    if item.name in changed:
                        assert value == expected
                    elif item.name != name:
                        assert value == getattr(before, item.name)


def test_every_register_field_is_in_that_table() -> None:
    for opcode, layout in FIELDS.items():
        names = {field.name for field in layout if field.name.endswith("_register")}
        written = {"count_register", "end_register"} if opcode == Opcode.TOKEN_SELECT else set()
        assert names == set(TAKEN.get(opcode, {})) | written


def select(**registers: int) -> TokenSelect:
    return TokenSelect(
        rows=9, rows_register=0, source_address=0, source_stride=0, destination_address=0,
        destination_stride=0, slices=1, score_address=0, heads=0, threshold=0, limit=0, prefix=9,
        **{"count_register": 0, **registers},
    )  # fmt: skip


def written(op: TokenSelect) -> dict[int, int]:
    """The registers that change, by number."""
    tokens = list(TOKENS)
    selected(op, tokens, 7)
    return {i: new for i, (new, old) in enumerate(zip(tokens, TOKENS, strict=True)) if new != old}


def test_count_and_end() -> None:
    assert written(select()) == {}
    assert written(select(count_register=1)) == {0: 7}
    assert written(select(count_register=15, end_register=3)) == {14: 7, 2: 7}
    assert written(select(end_register=3, destination_offset_register=5)) == {2: 7 + 104}


def test_the_offset_is_read_before_registers_are_written() -> None:
    same = select(count_register=5, end_register=6, destination_offset_register=5)
    assert written(same) == {4: 7, 5: 7 + 104}
    assert written(select(end_register=5, destination_offset_register=5)) == {4: 7 + 104}
    assert written(select(count_register=5, end_register=5, destination_offset_register=5)) == {
        4: 7 + 104
    }
