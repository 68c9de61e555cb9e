# SPDX-License-Identifier: Apache-2.0
"""Programs in the shape of DeiT, and single instructions, without weights."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from hwgen.program.engine import EngineConfig
from hwgen.program.extent import parameter_beats
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import (
    Attention,
    End,
    Instruction,
    Load,
    Matmul,
    SetTokens,
    TokenSelect,
)
from hwgen.program.program import InputLayout, OutputLayout, Program

PATCHES = 196
TOKENS = PATCHES + 1


def make_program(*instructions: Instruction, engine: EngineConfig | None = None) -> Program:
    """A program of ``instructions`` and END; its weights are one beat seen many times."""
    engine = engine or EngineConfig()
    beats = sum(parameter_beats(i, engine) for i in instructions if isinstance(i, Matmul))
    weights = np.broadcast_to(np.zeros((1, engine.lanes), np.uint8), (beats, engine.lanes))
    return Program(
        name="test",
        engine=engine,
        instructions=(*instructions, End()),
        labels=(*(f"step {i}" for i in range(len(instructions))), "end"),
        weights=weights,
        input=InputLayout(224, 224, 3, 16),
        output=OutputLayout(1, 1000, 1.0),
    )


@dataclass(frozen=True)
class Deit:
    """Sizes in slices; a head is one slice."""

    width: int
    depth: int = 12

    def instructions(self) -> list[Instruction]:
        d, n = self.width, TOKENS
        ops: list[Instruction] = [
            SetTokens(0, n),
            Load(Region.INPUT, 0, Buffer.WORK, 0, PATCHES * 12, offset_binary=1),
            Load(Region.WEIGHTS, 0, Buffer.RESIDUAL, 0, n * d),
            make_matmul(PATCHES, 12, d, stride=PATCHES, residual=1, to=Buffer.RESIDUAL, at=1),
        ]
        for _ in range(self.depth):
            ops += self._block()
        return [*ops, make_matmul(1, d, 16, stride=n, normalise=1, to=Buffer.OUTPUT)]

    def _block(self) -> list[Instruction]:
        d, n, tokens = self.width, TOKENS, {"rows": 0, "register": 1, "stride": TOKENS}
        query, key = 0, d * n
        return [
            make_matmul(reduction=d, outputs=d, normalise=1, at=key, **tokens),
            make_matmul(reduction=d, outputs=d, normalise=1, at=query, **tokens),
            make_matmul(reduction=d, outputs=d, normalise=1, to=Buffer.VALUE, **tokens),
            make_attention(0, 0, heads=d, query=query, key=key, stride=n, register=1),
            make_matmul(reduction=d, outputs=d, residual=1, to=Buffer.RESIDUAL, **tokens),
            make_matmul(reduction=d, outputs=4 * d, normalise=1, gelu=1, **tokens),
            make_matmul(reduction=4 * d, outputs=d, residual=1, to=Buffer.RESIDUAL, **tokens),
        ]


def make_matmul(
    rows: int,
    reduction: int,
    outputs: int,
    *,
    register: int = 0,
    stride: int | None = None,
    normalise: int = 0,
    gelu: int = 0,
    residual: int = 0,
    to: Buffer = Buffer.WORK,
    at: int = 0,
    second: int = 0,
    mean: int = 0,
) -> Matmul:
    stride = rows if stride is None else stride
    return Matmul(
        rows=rows,
        rows_register=register,
        source_buffer=Buffer.RESIDUAL if normalise else Buffer.WORK,
        source_address=0,
        source_stride=stride,
        reduction_slices=reduction,
        destination_buffer=to,
        destination_address=at,
        destination_stride=_destination_stride(rows, stride, to, register or residual),
        output_slices=outputs,
        offset=0,
        residual=residual,
        residual_address=at,
        residual_stride=TOKENS if residual else 0,
        gelu=gelu,
        normalise=normalise,
        second_slices=second,
        second_address=8000,
        second_broadcast=1,
        mean=mean,
        mean_address=8000,
    )


def _destination_stride(rows: int, stride: int, to: Buffer, whole: int) -> int:
    if to == Buffer.OUTPUT:
        return rows
    return TOKENS if whole else stride


def make_attention(
    rows: int,
    keys: int,
    *,
    heads: int = 1,
    head_slices: int = 1,
    query: int = 0,
    key: int = 0,
    stride: int = 0,
    register: int = 0,
) -> Attention:
    return Attention(
        rows=rows,
        rows_register=register,
        keys=keys,
        keys_register=register,
        query_address=query,
        query_stride=stride,
        key_address=key,
        key_stride=stride,
        value_address=0,
        value_stride=stride,
        destination_address=query,
        destination_stride=stride,
        heads=heads,
        head_slices=head_slices,
        score_multiplier=1,
        score_shift=1,
        exponent_multiplier=1,
        output_multiplier=1,
        output_shift=1,
    )


def make_selection(rows: int, slices: int, limit: int, *, package: int = 1) -> TokenSelect:
    """Over its own source, behind a class token; scores at the end of the work buffer."""
    return TokenSelect(
        rows=rows,
        rows_register=0,
        source_address=0,
        source_stride=rows,
        destination_address=0,
        destination_stride=rows,
        slices=slices,
        score_address=9000,
        heads=3,
        threshold=256,
        limit=limit,
        prefix=1,
        count_register=1,
        package=package,
    )


@pytest.fixture
def selection() -> Callable[..., TokenSelect]:
    return make_selection


@pytest.fixture
def program() -> Callable[..., Program]:
    return make_program


@pytest.fixture
def matmul() -> Callable[..., Matmul]:
    return make_matmul


@pytest.fixture
def attention() -> Callable[..., Attention]:
    return make_attention


@pytest.fixture(scope="session")
def deit() -> Callable[[int], Program]:
    """``deit(slices)``: 3 is DeiT-T, 6 DeiT-S, 12 DeiT-B."""
    return lambda width: make_program(*Deit(width).instructions())
