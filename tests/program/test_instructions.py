# SPDX-License-Identifier: Apache-2.0
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwgen.errors import ProgramError
from hwgen.program.fields import FIELDS, Buffer, Field, Opcode, Region
from hwgen.program.instructions import (
    Attention,
    End,
    Instruction,
    Load,
    Matmul,
    SetTokens,
    TokenSelect,
    decode,
    disassemble,
    encode,
)
from hwgen.program.tokens import TOKEN_REGISTERS

CLASSES = {cls.opcode: cls for cls in (End, SetTokens, Load, Matmul, Attention, TokenSelect)}
ENUMS = {"region": Region, "source_buffer": Buffer, "destination_buffer": Buffer}


def value(field: Field) -> st.SearchStrategy:
    if field.name in ENUMS:
        return st.sampled_from(list(ENUMS[field.name]))
    return st.integers(0, (1 << field.width) - 1)


def instructions() -> st.SearchStrategy[Instruction]:
    return st.one_of(
        *(
            st.builds(CLASSES[opcode], **{field.name: value(field) for field in layout})
            for opcode, layout in FIELDS.items()
        )
    )


@given(instructions())
def test_decode_inverts_encode(instruction: Instruction) -> None:
    assert decode(encode(instruction)) == instruction


@pytest.mark.parametrize("opcode", Opcode)
def test_every_attribute_has_exactly_one_field(opcode: Opcode) -> None:
    names = [field.name for field in FIELDS[opcode]]
    assert len(set(names)) == len(names)
    assert {item.name for item in fields(CLASSES[opcode])} == set(names)


@pytest.mark.parametrize("opcode", Opcode)
def test_fields_do_not_overlap(opcode: Opcode) -> None:
    taken = 0xFF  # the opcode
    for field in FIELDS[opcode]:
        bits = ((1 << field.width) - 1) << (32 * field.word + field.low)
        assert not taken & bits, field.name
        taken |= bits
    assert taken < 1 << 512


@pytest.mark.parametrize("opcode", Opcode)
def test_every_token_register_has_a_name_in_a_field(opcode: Opcode) -> None:
    """Four bits: none, or one of the fifteen. SET_TOKENS names them from 0."""
    fields = [field for field in FIELDS[opcode] if field.name.endswith("register")]
    assert all(field.width == 4 for field in fields)
    assert TOKEN_REGISTERS == 15


def test_a_value_too_large_for_its_field_is_refused() -> None:
    with pytest.raises(
        ProgramError, match=r"^SET_TOKENS: rows is 65536, which does not fit its 16"
    ):
        encode(SetTokens(0, 65536))


def test_an_unknown_opcode_is_refused() -> None:
    with pytest.raises(ProgramError, match=r"^Not an instruction \(opcode 99\)"):
        decode(np.array([99] + [0] * 15, np.uint32))


def test_disassembly_names_what_is_not_zero() -> None:
    load = Load(Region.INPUT, 0, Buffer.WORK, 5, 196, offset_binary=1)
    expected = "LOAD region=INPUT destination_buffer=WORK destination_address=5 vectors=196"
    assert disassemble(load) == expected + " offset_binary=1"
