# SPDX-License-Identifier: Apache-2.0
"""Engines with one broken unit: the reference interpreter with one of its functions replaced."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from hwgen.golden import attention, interpreter, matmul, select
from hwgen.golden.interpreter import Interpreter, Memory
from hwgen.numerics import layer_norm
from hwgen.numerics.fixed_point import Ratio
from hwgen.program.extent import Extent
from hwgen.program.fields import Buffer
from hwgen.program.instructions import Attention, Instruction, Load, Matmul
from hwgen.program.tokens import resolve
from hwgen.self_test import SelfTest

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Fault:
    """A unit, how it is broken, and what does that."""

    unit: str
    how: str
    inject: Callable[[Patch, SelfTest], None]

    def __str__(self) -> str:
        return f"{self.unit}: {self.how}"


def wrap(patch: Patch, where: Any, name: str, change: Callable[..., Any]) -> None:
    """Replaces a function: ``change`` is given it and its arguments."""
    original = getattr(where, name)
    patch.setattr(where, name, lambda *args: change(original, *args))


def everywhere(patch: Patch, name: str, change: Callable[..., Any]) -> None:
    """The same of a function that products and attention share."""
    wrap(patch, matmul, name, change)
    wrap(patch, attention, name, change)


# Buffers --------------------------------------------------------------------------------------


def address_bit(buffer: Buffer, bit: int, value: int) -> Callable[[Patch, SelfTest], None]:
    """An address bit is stuck; of the highest ones only where the buffer is so deep."""

    def inject(patch: Patch, test: SelfTest) -> None:
        engine = test.program.engine
        depths = {Buffer.RESIDUAL: engine.residual_depth, Buffer.WORK: engine.work_depth}
        depth = depths.get(buffer, engine.value_depth)
        mask = 1 << (bit if bit >= 0 else (depth - 1).bit_length() + bit)
        original = Memory._indices

        def indices(extent: Extent) -> np.ndarray:
            found = original(extent)
            if extent.buffer == buffer:
                found = np.minimum(found | mask, depth - 1) if value else found & ~mask
            return found

        patch.setattr(Memory, "_indices", staticmethod(indices))

    return inject


def data_bit(buffer: Buffer, lane: int, bit: int, value: int) -> Callable[[Patch, SelfTest], None]:
    """A bit of one lane is stuck."""

    def inject(patch: Patch, test: SelfTest) -> None:
        def vectors(original: Any, memory: Memory, extent: Extent) -> np.ndarray:
            found = original(memory, extent).copy()
            if extent.buffer == buffer:
                mask = np.array(1 << bit).astype(found.dtype)
                part = found[..., lane]
                found[..., lane] = part | mask if value else part & ~mask
            return found

        wrap(patch, Memory, "vectors", vectors)

    return inject


# Products -------------------------------------------------------------------------------------


def truncating(original: Any, value: np.ndarray, multiplier: Any, shift: Any, limit: int) -> Any:
    exact = np.asarray(value) * np.asarray(multiplier, np.int64)
    return np.clip(exact >> np.asarray(shift, np.int64), -limit, limit)


def ties_down(original: Any, value: np.ndarray, multiplier: Any, shift: Any, limit: int) -> Any:
    shift = np.asarray(shift, np.int64)
    exact = np.asarray(value) * np.asarray(multiplier, np.int64)
    return np.clip((exact + (np.int64(1) << (shift - 1)) - 1) >> shift, -limit, limit)


def wrapping(original: Any, value: np.ndarray, multiplier: Any, shift: Any, limit: int) -> Any:
    wide = original(value, multiplier, shift, 1 << 60)
    return (wide + limit) % (2 * limit + 1) - limit


def no_bias(original: Any, *args: Any) -> Any:
    found = original(*args)
    return replace(found, bias=0 * found.bias)


def bias_bit(original: Any, *args: Any) -> Any:
    found = original(*args)
    return replace(found, bias=found.bias & ~np.int32(1 << 9))


def dead_cell(original: Any, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """One multiplier of 16 by 16 makes nothing."""
    parts = left[..., 3::16].astype(np.int64) @ right[..., 3::16, 5::16].astype(np.int64)
    found = original(left, right)
    found[..., 5::16] -= parts
    return found


def dead_row(original: Any, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    left = left.copy()
    left[..., 7::16] = 0
    return original(left, right)


def column_bit(original: Any, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The lowest bit of one column is stuck."""
    found = original(left, right)
    found[..., 2::16] &= ~1
    return found


def short_cascade(original: Any, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sums of eight products wrap at 18 bits less one."""
    total = np.zeros((), np.int64)
    for first in range(0, left.shape[-1], 8):
        part = left[..., first : first + 8].astype(np.int64) @ right[
            ..., first : first + 8, :
        ].astype(np.int64)
        total = total + (part + (1 << 16)) % (1 << 17) - (1 << 16)
    return total


def accumulator_rows(original: Any, op: Matmul, *args: Any) -> np.ndarray:
    """Rows that differ in one bit share an accumulator."""
    found = original(op, *args)
    if op.reduction_slices > 1 and op.rows > 16:
        rows = np.arange(op.rows)
        found = found[..., rows & ~16, :]
    return found


def gelu_unclipped(original: Any, x: np.ndarray, constants: Any, output: Ratio) -> np.ndarray:
    found = original(x, constants, output)
    return np.where(x < -2562, found - 1, found)


def gelu_slope(original: Any, x: np.ndarray, constants: Any, output: Ratio) -> np.ndarray:
    return original(x, replace(constants, slope=constants.slope & ~64), output)


def addition_wraps(original: Any, value: np.ndarray, limit: int) -> np.ndarray:
    return (value + limit) % (2 * limit + 1) - limit


def no_addition(original: Any, op: Matmul, source: Any, residual: Any, parameters: Any) -> Any:
    return original(op, source, None if residual is None else residual & ~8, parameters)


def stale_statistics(loaded: bool) -> Callable[[Patch, SelfTest], None]:
    """Statistics of rows that came by LOAD, or of those that did not, are those of other rows."""

    def inject(patch: Patch, test: SelfTest) -> None:
        by_load: dict[int, bool] = {}

        def step(
            original: Any, self: Any, op: Instruction, to: Extent, memory: Memory, beats: Any
        ) -> None:
            if to.buffer == Buffer.RESIDUAL:
                by_load.update(dict.fromkeys(Memory._indices(to).ravel(), isinstance(op, Load)))
            if (
                isinstance(op, Matmul)
                and op.normalise
                and op.rows > 1
                and by_load.get(op.source_address) == loaded
            ):
                op = replace(op, epsilon=op.epsilon + (1 << 24))
            original(self, op, to, memory, beats)

        wrap(patch, Interpreter, "_step", step)

    return inject


def root(original: Any, value: np.ndarray) -> Any:
    multiplier, shift = original(value)
    return multiplier - (multiplier >> 4), shift


def mean_of_one_more(original: Any, count: int) -> Ratio:
    return original(count + 1)


def no_second(original: Any, self: Any, op: Instruction, *args: Any) -> None:
    if isinstance(op, Matmul) and op.second_slices:
        op = replace(op, second_address=op.second_address - 1)
    original(self, op, *args)


# Attention ------------------------------------------------------------------------------------


def keys_late(original: Any, op: Attention, query: Any, key: Any, value: Any) -> Any:
    return original(op, query, np.roll(key, 1, axis=-2), value)


def reciprocal(original: Any, value: np.ndarray) -> Any:
    multiplier, shift = original(value)
    return multiplier ^ 0x0200, shift


def exponential(original: Any, scores: np.ndarray, multiplier: int) -> Any:
    exponentials, _ = original(scores, multiplier)
    exponentials = np.where(exponentials == 127, 127, exponentials & ~4)
    return exponentials, exponentials.sum(axis=-1)


def one_head(original: Any, op: Attention, query: Any, key: Any, value: Any) -> Any:
    width = query.shape[-1] // op.heads
    return original(op, np.tile(query[..., :width], op.heads), key, value)


def score_rows(original: Any, op: Attention, query: Any, key: Any, value: Any) -> Any:
    """Rows that differ in one bit have their scores in one place."""
    rows = np.arange(query.shape[-2])
    return original(op, query[..., rows & ~8, :], key, value)


# Tokens ---------------------------------------------------------------------------------------


def register_bit(original: Any, instruction: Instruction, tokens: Any) -> Instruction:
    broken = list(tokens)
    broken[7] &= ~2
    return resolve(instruction, broken)


def no_key_offset(original: Any, instruction: Instruction, tokens: Any) -> Instruction:
    if isinstance(instruction, Attention):
        instruction = replace(instruction, key_offset_register=0)
    return resolve(instruction, tokens)


def count_register(original: Any, op: Any, tokens: list[int], rows: int) -> None:
    original(op, tokens, rows + 1)


def limit(original: Any, op: Any, scores: np.ndarray) -> np.ndarray:
    return original(replace(op, limit=op.limit + 1), scores)


def last_row_lost(original: Any, op: Any, source: np.ndarray, kept: np.ndarray) -> np.ndarray:
    rows = original(op, source, kept)
    return np.concatenate([rows[:-2], rows[-1:], rows[-1:]])


def package_sum(original: Any, value: np.ndarray, *args: Any) -> np.ndarray:
    return original(value & ~32, *args)


def sigmoid_piece(original: Any, x: np.ndarray) -> np.ndarray:
    found = original(x)
    return np.where((x >= 16) & (x < 38), found - 1, found)


def sigmoid_lane(original: Any, x: np.ndarray) -> np.ndarray:
    found = original(x)
    found[:, 3:4] = 256
    return found


def step(change: Callable[..., Any]) -> Callable[[Patch, SelfTest], None]:
    return lambda patch, test: wrap(patch, Interpreter, "_step", change)


def function(
    where: Any, name: str, change: Callable[..., Any]
) -> Callable[[Patch, SelfTest], None]:
    return lambda patch, test: wrap(patch, where, name, change)


def shared(name: str, change: Callable[..., Any]) -> Callable[[Patch, SelfTest], None]:
    return lambda patch, test: everywhere(patch, name, change)


def no_offset(original: Any, self: Any, op: Load, beats: np.ndarray) -> np.ndarray:
    return original(self, replace(op, offset_binary=0), beats)


FAULTS = (
    Fault("residual buffer", "address bit 0 is 0", address_bit(Buffer.RESIDUAL, 0, 0)),
    Fault("residual buffer", "address bit 3 is 1", address_bit(Buffer.RESIDUAL, 3, 1)),
    Fault("residual buffer", "highest address bit is 0", address_bit(Buffer.RESIDUAL, -1, 0)),
    Fault("residual buffer", "a bit is 0", data_bit(Buffer.RESIDUAL, 5, 2, 0)),
    Fault("residual buffer", "a bit is 1", data_bit(Buffer.RESIDUAL, 11, 13, 1)),
    Fault("work buffer", "address bit 1 is 0", address_bit(Buffer.WORK, 1, 0)),
    Fault("work buffer", "address bit 4 is 1", address_bit(Buffer.WORK, 4, 1)),
    Fault("work buffer", "highest address bit is 0", address_bit(Buffer.WORK, -1, 0)),
    Fault("work buffer", "a bit is 0", data_bit(Buffer.WORK, 0, 6, 0)),
    Fault("work buffer", "a bit is 1", data_bit(Buffer.WORK, 15, 0, 1)),
    Fault("value buffer", "address bit 2 is 0", address_bit(Buffer.VALUE, 2, 0)),
    Fault("value buffer", "highest address bit is 0", address_bit(Buffer.VALUE, -1, 0)),
    Fault("value buffer", "a bit is 0", data_bit(Buffer.VALUE, 9, 0, 0)),
    Fault("value buffer", "a bit is 1", data_bit(Buffer.VALUE, 2, 6, 1)),
    Fault("requantisation", "does not round", shared("requantise", truncating)),
    Fault("requantisation", "rounds ties down", shared("requantise", ties_down)),
    Fault("requantisation", "does not saturate", shared("requantise", wrapping)),
    Fault("bias", "is none", function(interpreter, "unpack_parameters", no_bias)),
    Fault("bias", "a bit is 0", function(interpreter, "unpack_parameters", bias_bit)),
    Fault("MAC array", "a cell is dead", shared("exact_product", dead_cell)),
    Fault("MAC array", "a row is dead", shared("exact_product", dead_row)),
    Fault("MAC array", "a column's bit is 0", shared("exact_product", column_bit)),
    Fault("MAC array", "cascades overflow", shared("exact_product", short_cascade)),
    Fault("pixels (128 subtracted)", "is not done", function(Interpreter, "_load", no_offset)),
    Fault("accumulators", "two rows in one", function(interpreter, "matmul", accumulator_rows)),
    Fault("GELU", "is too small below -2.5", function(matmul, "gelu_int8", gelu_unclipped)),
    Fault("GELU", "a bit of its slope is 0", function(matmul, "gelu_int8", gelu_slope)),
    Fault("residual addition", "does not saturate", function(matmul, "saturate", addition_wraps)),
    Fault("residual addition", "loses a bit", function(interpreter, "matmul", no_addition)),
    Fault("LayerNorm", "inverse root is too small", function(layer_norm, "inverse_sqrt", root)),
    Fault("row statistics of loaded rows", "are others'", stale_statistics(True)),
    Fault("row statistics of results", "are others'", stale_statistics(False)),
    Fault("mean of rows", "divides by one more", function(matmul, "mean_ratio", mean_of_one_more)),
    Fault("second source", "is one row off", step(no_second)),
    Fault("attention scores", "keys come late", function(interpreter, "attention", keys_late)),
    Fault("softmax (division)", "a bit is wrong", function(attention, "reciprocal", reciprocal)),
    Fault("softmax (exponentials)", "a bit is 0", function(attention, "softmax", exponential)),
    Fault("attention heads", "all are the first", function(interpreter, "attention", one_head)),
    Fault("score buffer", "two rows in one", function(interpreter, "attention", score_rows)),
    Fault("token registers", "a bit of one is 0", function(interpreter, "resolve", register_bit)),
    Fault(
        "token registers of attention",
        "keys are not moved",
        function(interpreter, "resolve", no_key_offset),
    ),
    Fault("token selection", "counts one more", function(interpreter, "selected", count_register)),
    Fault("token selection", "the limit is one more", function(interpreter, "kept_rows", limit)),
    Fault("moving of rows", "loses one", function(interpreter, "token_select", last_row_lost)),
    Fault("package token", "a bit of its sum is 0", function(select, "requantise", package_sum)),
    Fault("sigmoid of token selection", "in one piece", function(select, "sigmoid", sigmoid_piece)),
    Fault("sigmoid of token selection", "of one head", function(select, "sigmoid", sigmoid_lane)),
)
