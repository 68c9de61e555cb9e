# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/epilogue.sv against the golden functions.

Instructions of every kind follow each other without a pause, their parameters load while the one
before still runs, and rows and beats come with random gaps.
"""

from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hwgen.golden.matmul import LayerParameters, pack_parameters
from hwgen.numerics.fixed_point import (
    ACCUMULATOR_LIMIT,
    INT8_MAX,
    INT16_MAX,
    MAX_SHIFT,
    Ratio,
    requantise,
    saturate,
)
from hwgen.numerics.gelu import GeluConstants, gelu_constants, gelu_int8
from sim.lanes import idle, pack, start_clock, unpack

LATENCY = 16
RESIDUAL_AT = 4
PARAMETER_BEATS = 8
ACCUMULATOR_BITS = 27

KINDS = ("int8", "gelu", "int16", "residual", "by row")


@dataclass(frozen=True)
class Stage:
    """Rows of one kind that share channel parameters, and what shall come out."""

    kind: str
    beats: np.ndarray  # (8, lanes) uint8
    sums: np.ndarray  # (rows, lanes)
    ratios: np.ndarray  # (rows, 2): multiplier and shift of each row
    residual: np.ndarray  # (rows, lanes)
    expected: np.ndarray  # (rows, lanes)


def _stage(
    rng: np.random.Generator, kind: str, lanes: int, constants: GeluConstants, output: Ratio
) -> Stage:
    rows = int(rng.integers(1, 40))
    edge = ACCUMULATOR_LIMIT - 1
    size = int(rng.choice([200, 20000, edge]))
    accumulator = rng.integers(-size, size + 1, (rows, lanes))
    accumulator[rng.random(accumulator.shape) < 0.05] = rng.choice([-edge, edge])
    bias = rng.integers(-edge, edge + 1, lanes)
    multiplier = rng.integers(0, 1 << 16, lanes)
    # Mostly results that are neither all zero nor all saturated.
    around = int(np.log2(size)) + 16 - (7 if kind in ("int8", "by row") else 15)
    shift = np.clip(around + rng.integers(-3, 4, lanes), 1, MAX_SHIFT)
    shift[rng.random(lanes) < 0.1] = rng.choice([1, MAX_SHIFT])
    row_shift = np.full(rows, np.clip(around, 1, MAX_SHIFT))
    ratios = np.stack([rng.integers(0, 1 << 16, rows), row_shift], axis=1)
    residual = rng.integers(-INT16_MAX, INT16_MAX + 1, (rows, lanes))
    residual[rng.random(residual.shape) < 0.1] = rng.choice([-INT16_MAX, INT16_MAX])

    sums = accumulator - (0 if kind == "by row" else bias)
    limit = INT8_MAX if kind in ("int8", "by row") else INT16_MAX
    if kind == "by row":
        expected = requantise(accumulator, ratios[:, :1], ratios[:, 1:], limit)
    else:
        expected = requantise(accumulator, multiplier, shift, limit)
    if kind == "gelu":
        expected = gelu_int8(expected, constants, output)
    if kind == "residual":
        expected = saturate(expected + residual, INT16_MAX)
    parameters = LayerParameters(
        np.zeros((lanes, lanes), np.int8),
        bias.astype(np.int32),
        multiplier.astype(np.uint16),
        shift.astype(np.uint8),
    )
    beats = pack_parameters(parameters, lanes)[:PARAMETER_BEATS]
    return Stage(kind, beats, sums, ratios, residual, expected)


class _Schedule:
    """What each cycle brings, one dictionary of port values a cycle."""

    def __init__(self) -> None:
        self.cycles: list[dict[str, int]] = []
        self.expected: list[tuple[int, np.ndarray]] = []

    def at(self, cycle: int) -> dict[str, int]:
        while len(self.cycles) <= cycle:
            self.cycles.append({"row_valid": 0, "load": 0, "swap": 0})
        return self.cycles[cycle]

    def load(self, rng: np.random.Generator, stage: Stage, start: int) -> int:
        """All beats in some order and with gaps; the first cycle after them."""
        cycle = start
        for index in rng.permutation(PARAMETER_BEATS):
            cycle += int(rng.integers(0, 2))
            self.at(cycle).update(
                load=1, load_index=int(index), load_beat=pack(stage.beats[index], 8)
            )
            cycle += 1
        return cycle

    def rows(self, rng: np.random.Generator, stage: Stage, start: int) -> int:
        """All rows with gaps; the cycle of the last."""
        flags = {
            "by_row": stage.kind == "by row",
            "narrow": stage.kind in ("int8", "by row"),
            "gelu": stage.kind == "gelu",
            "add_residual": stage.kind == "residual",
        }
        gaps = float(rng.choice([0, 0.3]))
        cycle = start - 1
        for row in range(len(stage.sums)):
            cycle += 1
            while rng.random() < gaps:
                cycle += 1
            self.at(cycle).update(
                row_valid=1,
                sums=pack(stage.sums[row], ACCUMULATOR_BITS),
                row_multiplier=int(stage.ratios[row, 0]),
                row_shift=int(stage.ratios[row, 1]),
                **{name: int(flag) for name, flag in flags.items()},
            )
            self.at(cycle + RESIDUAL_AT)["residual"] = pack(stage.residual[row], 16)
            self.expected.append((cycle + LATENCY, stage.expected[row]))
        return cycle


@cocotb.test()
@cocotb.parametrize(delta=[1.0, 0.5])
async def all_kinds_in_turn(dut: Any, delta: float) -> None:
    lanes = len(dut.results) // 16
    rng = np.random.default_rng(int(8 * delta))
    constants, output = gelu_constants(delta), Ratio(int(rng.integers(1 << 15, 1 << 16)), 21)
    kinds = [*KINDS, *rng.choice(KINDS, 60)]
    stages = [_stage(rng, kind, lanes, constants, output) for kind in kinds]

    schedule = _Schedule()
    swap = schedule.load(rng, stages[0], 0)
    for stage, following in zip(stages, [*stages[1:], None], strict=True):
        schedule.at(swap)["swap"] = 1
        last = schedule.rows(rng, stage, swap + 1)
        loaded = schedule.load(rng, following, swap + 1) if following else 0
        # The new parameters may replace the old ones in the cycle of the last row.
        swap = max(last, loaded)
    schedule.at(len(schedule.cycles) + LATENCY)

    start_clock(dut)
    for name, value in vars(constants).items():
        getattr(dut, f"gelu_{name}").value = value
    dut.gelu_multiplier.value = output.multiplier
    dut.gelu_shift.value = output.shift
    dut.row_valid.value = 0
    await idle(dut, LATENCY)
    expected = iter(schedule.expected)
    count = 0
    for cycle, ports in enumerate(schedule.cycles):
        for name, value in ports.items():
            getattr(dut, name).value = value
        await RisingEdge(dut.clk)
        if dut.result_valid.value:
            when, row = next(expected)
            found = unpack(dut.results.value, lanes, "<i2")
            assert cycle == when, (cycle, when)
            assert (found == row).all(), (cycle, found, row)
            count += 1
    assert count == len(schedule.expected)
