# SPDX-License-Identifier: Apache-2.0
"""The macro-instructions, one frozen dataclass each, and their binary form.

What each one computes, to the bit, is written in ``docs/program.md``.
"""

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from hwgen.errors import ProgramError
from hwgen.numerics.fixed_point import Ratio
from hwgen.numerics.gelu import GeluConstants
from hwgen.numerics.layer_norm import NormaliseConstants
from hwgen.program.fields import FIELDS, OPCODE, WORDS, Buffer, Field, Opcode, Region


@dataclass(frozen=True)
class End:
    """Stop: raise done."""

    opcode: ClassVar[Opcode] = Opcode.END


@dataclass(frozen=True)
class SetTokens:
    """Token register ``register`` becomes ``rows``."""

    opcode: ClassVar[Opcode] = Opcode.SET_TOKENS
    register: int
    rows: int


@dataclass(frozen=True)
class Load:
    """``vectors`` vectors from DDR into a buffer, in order."""

    opcode: ClassVar[Opcode] = Opcode.LOAD
    region: Region
    offset: int
    destination_buffer: Buffer
    destination_address: int
    vectors: int
    offset_binary: int = 0


@dataclass(frozen=True)
class Matmul:
    """A matrix product with weights from DDR, normalised input, GELU and residual as flagged."""

    opcode: ClassVar[Opcode] = Opcode.MATMUL
    rows: int
    rows_register: int
    source_buffer: Buffer
    source_address: int
    source_stride: int
    reduction_slices: int
    destination_buffer: Buffer
    destination_address: int
    destination_stride: int
    output_slices: int
    offset: int
    residual: int = 0
    residual_address: int = 0
    residual_stride: int = 0
    gelu: int = 0
    gelu_one: int = 0
    gelu_slope: int = 0
    gelu_multiplier: int = 0
    gelu_shift: int = 0
    normalise: int = 0
    columns: int = 0
    mean_multiplier: int = 0
    epsilon: int = 0
    normalise_multiplier: int = 0
    normalise_shift: int = 0
    second_slices: int = 0
    second_address: int = 0
    second_broadcast: int = 0
    mean: int = 0
    mean_address: int = 0
    source_offset_register: int = 0

    @property
    def normalise_constants(self) -> NormaliseConstants:
        output = Ratio(self.normalise_multiplier, self.normalise_shift)
        return NormaliseConstants(self.columns, self.mean_multiplier, self.epsilon, output)

    @property
    def gelu_constants(self) -> GeluConstants:
        return GeluConstants(self.gelu_one, self.gelu_slope)

    @property
    def gelu_output(self) -> Ratio:
        return Ratio(self.gelu_multiplier, self.gelu_shift)


@dataclass(frozen=True)
class Attention:
    """Multi-head attention over queries, keys and values that are on chip."""

    opcode: ClassVar[Opcode] = Opcode.ATTENTION
    rows: int
    rows_register: int
    keys: int
    keys_register: int
    query_address: int
    query_stride: int
    key_address: int
    key_stride: int
    value_address: int
    value_stride: int
    destination_address: int
    destination_stride: int
    heads: int
    head_slices: int
    score_multiplier: int
    score_shift: int
    exponent_multiplier: int
    output_multiplier: int
    output_shift: int
    query_offset_register: int = 0
    key_offset_register: int = 0

    @property
    def output_ratio(self) -> Ratio:
        return Ratio(self.output_multiplier, self.output_shift)


@dataclass(frozen=True)
class TokenSelect:
    """Rows of the residual stream that score high move together; the mean of the rest follows."""

    opcode: ClassVar[Opcode] = Opcode.TOKEN_SELECT
    rows: int
    rows_register: int
    source_address: int
    source_stride: int
    destination_address: int
    destination_stride: int
    slices: int
    score_address: int
    heads: int
    threshold: int
    limit: int
    prefix: int
    count_register: int
    packages: int = 0
    package: int = 0
    merge: int = 0
    source_offset_register: int = 0
    destination_offset_register: int = 0
    end_register: int = 0


Instruction = End | SetTokens | Load | Matmul | Attention | TokenSelect

_CLASSES: dict[Opcode, type] = {
    Opcode.END: End,
    Opcode.SET_TOKENS: SetTokens,
    Opcode.LOAD: Load,
    Opcode.MATMUL: Matmul,
    Opcode.ATTENTION: Attention,
    Opcode.TOKEN_SELECT: TokenSelect,
}
_ENUMS: dict[str, type] = {
    "region": Region,
    "destination_buffer": Buffer,
    "source_buffer": Buffer,
}


def _insert(words: list[int], field: Field, value: int, where: str) -> None:
    if not 0 <= value < 1 << field.width:
        raise ProgramError(
            f"{where}: {field.name} is {value}, which does not fit its {field.width} unsigned "
            "bits. The model is larger than instructions can address."
        )
    shifted = value << field.low
    words[field.word] |= shifted & 0xFFFFFFFF
    if field.low + field.width > 32:
        words[field.word + 1] |= shifted >> 32


def _extract(words: list[int], field: Field) -> int:
    value = words[field.word]
    if field.low + field.width > 32:
        value |= words[field.word + 1] << 32
    return value >> field.low & ((1 << field.width) - 1)


def encode(instruction: Instruction) -> np.ndarray:
    """The instruction as uint32 (16,).

    Raises:
        ProgramError: a value is too large for its field.
    """
    words = [0] * WORDS
    where = instruction.opcode.name
    _insert(words, OPCODE, instruction.opcode, where)
    for field in FIELDS[instruction.opcode]:
        _insert(words, field, int(getattr(instruction, field.name)), where)
    return np.array(words, np.uint32)


def decode(words: np.ndarray) -> Instruction:
    """The inverse of ``encode``.

    Raises:
        ProgramError: the opcode or an enumerated field is unknown.
    """
    numbers = [int(word) for word in words]
    code = _extract(numbers, OPCODE)
    try:
        opcode = Opcode(code)
        values = {field.name: _extract(numbers, field) for field in FIELDS[opcode]}
        values = {name: _ENUMS.get(name, int)(value) for name, value in values.items()}
    except ValueError as error:
        raise ProgramError(f"Not an instruction (opcode {code}): {error}.") from None
    return _CLASSES[opcode](**values)


def disassemble(instruction: Instruction) -> str:
    """One line of text: the mnemonic and each field that is not zero."""
    parts = [instruction.opcode.name]
    for item in fields(instruction):
        value = getattr(instruction, item.name)
        if isinstance(value, Buffer | Region):
            parts.append(f"{item.name}={value.name}")
        elif value:
            parts.append(f"{item.name}={value}")
    return " ".join(parts)
