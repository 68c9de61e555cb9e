# SPDX-License-Identifier: Apache-2.0
"""Vectors of integers on packed ports, lane 0 in the lowest bits, and a clock to send them by."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge


def pack(values: np.ndarray | Sequence[int], bits: int) -> int:
    """One word of ``bits`` bits for each value, negative ones in two's complement."""
    if bits in (8, 16, 32, 64):
        return int.from_bytes(np.asarray(values).astype(f"<u{bits // 8}").tobytes(), "little")
    mask = (1 << bits) - 1
    return sum((int(value) & mask) << (bits * lane) for lane, value in enumerate(values))


def unpack(word: Any, lanes: int, kind: str) -> np.ndarray:
    """The lanes of a port's value; ``kind`` is a numpy type such as ``<i2``."""
    size = np.dtype(kind).itemsize
    return np.frombuffer(int(word).to_bytes(lanes * size, "little"), kind).astype(np.int64)


def start_clock(dut: Any) -> None:
    Clock(dut.clk, 2, "step", impl="gpi").start()


async def idle(dut: Any, cycles: int) -> None:
    """Lets what is in flight come out."""
    for _ in range(cycles):
        await RisingEdge(dut.clk)
