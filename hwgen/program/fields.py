# SPDX-License-Identifier: Apache-2.0
"""Where each field of an instruction lies. The encoder, the disassembler, the C++ header and the
tables of ``docs/program.md`` are all made from these lists.
"""

from dataclasses import dataclass
from enum import IntEnum

WORDS = 16
"""An instruction is sixteen little-endian 32-bit words."""


@dataclass(frozen=True)
class Field:
    """An unsigned field: bits ``low + width - 1 .. low`` of 32-bit word ``word``.

    A 64-bit field starts at bit 0 of ``word`` and continues in the next word.
    """

    name: str
    word: int
    low: int
    width: int
    meaning: str


class Opcode(IntEnum):
    """What the instruction does."""

    END = 0
    SET_TOKENS = 1
    LOAD = 2
    MATMUL = 3
    ATTENTION = 4
    TOKEN_SELECT = 5


class Buffer(IntEnum):
    """On-chip memories and the output region."""

    RESIDUAL = 0
    WORK = 1
    VALUE = 2
    OUTPUT = 3


class Region(IntEnum):
    """Regions of DDR that an instruction can read."""

    WEIGHTS = 0
    INPUT = 1


OPCODE = Field("opcode", 0, 0, 8, "operation")

ROWS = (
    Field("rows", 1, 0, 16, "row count where rows_register is 0"),
    Field("rows_register", 1, 16, 4, "0: rows as given; k: token register k - 1"),
)

SET_TOKENS = (
    Field("rows", 1, 0, 16, "value"),
    Field("register", 1, 16, 4, "token register written, 0 to 14"),
)

LOAD = (
    Field("offset_binary", 0, 8, 1, "subtract 128 from each byte (uint8 pixels to int8)"),
    Field("destination_buffer", 5, 4, 4, "RESIDUAL (two beats a vector) or WORK (one)"),
    Field("destination_address", 3, 0, 16, "first vector"),
    Field("vectors", 6, 0, 32, "number of vectors"),
    Field("region", 5, 8, 4, "WEIGHTS or INPUT"),
    Field("offset", 7, 0, 32, "first beat of the region"),
)

MATMUL = (
    Field("normalise", 0, 8, 1, "normalise source rows (RESIDUAL) to int8 on the way in"),
    Field("gelu", 0, 9, 1, "GELU before the int8 requantisation"),
    Field("residual", 0, 10, 1, "add the residual operand (16-bit destinations)"),
    Field("mean", 0, 11, 1, "also average the rows of the result (WORK) into one"),
    Field("second_broadcast", 0, 12, 1, "the second source is one row that goes with every row"),
    *ROWS,
    Field("source_offset_register", 1, 20, 4, "k: token register k - 1 is added to source_address"),
    Field("source_address", 2, 0, 16, "first vector of slice 0"),
    Field("source_stride", 2, 16, 16, "vectors from one slice to the next"),
    Field("destination_address", 3, 0, 16, "first vector of slice 0"),
    Field("destination_stride", 3, 16, 16, "vectors from one slice to the next"),
    Field("residual_address", 4, 0, 16, "first RESIDUAL vector of slice 0"),
    Field("residual_stride", 4, 16, 16, "vectors from one slice to the next"),
    Field("source_buffer", 5, 0, 4, "RESIDUAL (with normalise) or WORK"),
    Field("destination_buffer", 5, 4, 4, "RESIDUAL or OUTPUT (int16), WORK or VALUE (int8)"),
    Field("second_slices", 5, 8, 8, "the last so many reduction slices are the second source's"),
    Field("reduction_slices", 6, 0, 16, "slices of the sources"),
    Field("output_slices", 6, 16, 16, "slices of the destination"),
    Field("offset", 7, 0, 32, "first beat of parameters and weights in WEIGHTS"),
    Field("gelu_one", 8, 0, 16, "GELU delta, Q.14"),
    Field("gelu_slope", 8, 16, 16, "GELU -a/2 * delta, Q.17"),
    Field("gelu_multiplier", 9, 0, 16, "requantisation of the GELU result"),
    Field("gelu_shift", 9, 16, 6, "its shift"),
    Field("mean_multiplier", 10, 0, 32, "2^32 / columns"),
    Field("epsilon", 11, 0, 64, "variance guard, columns^2 * eps / scale^2"),
    Field("normalise_multiplier", 13, 0, 16, "columns / (64 * output scale)"),
    Field("normalise_shift", 13, 16, 6, "its shift"),
    Field("columns", 14, 0, 16, "columns that the normalisation counts"),
    Field("second_address", 14, 16, 16, "first WORK vector of the second source"),
    Field("mean_address", 15, 0, 16, "WORK vector of the mean of slice 0; those of others follow"),
)

ATTENTION = (
    *ROWS,
    Field("query_offset_register", 1, 20, 4, "added to query_address and destination_address"),
    Field("keys", 2, 0, 16, "key count where keys_register is 0"),
    Field("keys_register", 2, 16, 4, "0: keys as given; k: token register k - 1"),
    Field("key_offset_register", 2, 20, 4, "added to key_address and value_address"),
    Field("query_address", 3, 0, 16, "first WORK vector of head 0's first slice"),
    Field("query_stride", 3, 16, 16, "vectors from one slice to the next"),
    Field("key_address", 4, 0, 16, "first WORK vector"),
    Field("key_stride", 4, 16, 16, "vectors from one slice to the next"),
    Field("value_address", 5, 0, 16, "first VALUE vector"),
    Field("value_stride", 5, 16, 16, "vectors from one slice to the next"),
    Field("destination_address", 6, 0, 16, "first WORK vector; may equal query_address"),
    Field("destination_stride", 6, 16, 16, "vectors from one slice to the next"),
    Field("heads", 7, 0, 16, "attention heads"),
    Field("head_slices", 7, 16, 8, "slices of one head"),
    Field("score_multiplier", 8, 0, 16, "requantisation of Q K^T to int8 scores"),
    Field("score_shift", 8, 16, 6, "its shift"),
    Field("exponent_multiplier", 9, 0, 16, "score scale * log2(e), Q2.14"),
    Field("output_multiplier", 10, 0, 16, "delta * value scale / output scale"),
    Field("output_shift", 10, 16, 6, "its shift"),
)

TOKEN_SELECT = (
    Field("package", 0, 8, 1, "append the mean of the dropped rows"),
    Field("merge", 0, 9, 1, "drop earlier package tokens, so that the new one takes them in"),
    *ROWS,
    Field("source_offset_register", 1, 20, 4, "added to source_address"),
    Field("destination_offset_register", 1, 24, 4, "added to destination_address"),
    Field("source_address", 2, 0, 16, "first RESIDUAL vector of slice 0"),
    Field("source_stride", 2, 16, 16, "vectors from one slice to the next"),
    Field("destination_address", 3, 0, 16, "first RESIDUAL vector of slice 0"),
    Field("destination_stride", 3, 16, 16, "vectors from one slice to the next"),
    Field("score_address", 4, 0, 16, "first WORK vector of the scores, one slice"),
    Field("threshold", 4, 16, 16, "keep score to exceed, Q.9"),
    Field("count_register", 5, 0, 4, "k: token register k - 1 becomes the rows written"),
    Field("end_register", 5, 4, 4, "k: register k - 1 becomes destination offset plus that"),
    Field("heads", 5, 8, 8, "heads of the selector"),
    Field("prefix", 5, 16, 8, "first rows that stay whatever their scores (class tokens)"),
    Field("packages", 5, 24, 8, "last rows that are package tokens of earlier selections"),
    Field("slices", 6, 0, 16, "slices of the matrix"),
    Field("limit", 6, 16, 16, "tokens kept by their score, at most"),
)

FIELDS: dict[Opcode, tuple[Field, ...]] = {
    Opcode.END: (),
    Opcode.SET_TOKENS: SET_TOKENS,
    Opcode.LOAD: LOAD,
    Opcode.MATMUL: MATMUL,
    Opcode.ATTENTION: ATTENTION,
    Opcode.TOKEN_SELECT: TOKEN_SELECT,
}
