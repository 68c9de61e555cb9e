# SPDX-License-Identifier: Apache-2.0
"""Rows, loads and swaps for the benches of the matrix array, and the sums they must give.

A stimulus is written as the array sees it: what is presented in one cycle stands in one row of each
field. The contract it is judged by is that of ``kernels_rtl/mac_array.sv``.
"""

from dataclasses import dataclass, fields

import numpy as np

from sim.lanes import pack

CHAIN_LENGTH = 8
WEIGHT_CORNERS = (-127, -126, -64, -1, 0, 1, 63, 126, 127)
ACTIVATION_CORNERS = (-128, -127, -1, 0, 1, 126, 127)


@dataclass(frozen=True, eq=False)
class Stimulus:
    """Inputs of an array, a column pair or a chain, cycle by cycle.

    rows and weights int8 (cycles, lanes), channel int (cycles,), the others bool (cycles,).
    """

    rows: np.ndarray
    row_valid: np.ndarray
    swap: np.ndarray
    load: np.ndarray
    channel: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def idle(cycles: int, lanes: int) -> Stimulus:
    """Nothing happens."""
    return Stimulus(
        rows=np.zeros((cycles, lanes), np.int8),
        row_valid=np.zeros(cycles, bool),
        swap=np.zeros(cycles, bool),
        load=np.zeros(cycles, bool),
        channel=np.zeros(cycles, int),
        weights=np.zeros((cycles, lanes), np.int8),
    )


def join(*parts: Stimulus) -> Stimulus:
    """One after the other."""
    names = [field.name for field in fields(Stimulus)]
    return Stimulus(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def steady_tiles(rng: np.random.Generator, lanes: int, channels: int, tiles: int) -> Stimulus:
    """Load after load without a gap, and a row in every cycle once there is a tile to use."""
    made = random_traffic(rng, lanes, channels * tiles, channels, loads=1.0, valid=1.0, swaps=0.0)
    cycle = np.arange(len(made))
    made.channel[:] = cycle % channels
    made.swap[channels::channels] = True
    made.row_valid[:channels] = False
    # What is loaded last goes live with the first cycle of what follows.
    last = idle(1, lanes)
    last.swap[:] = True
    return join(made, last)


def random_traffic(
    rng: np.random.Generator,
    lanes: int,
    cycles: int,
    channels: int,
    *,
    valid: float = 0.7,
    loads: float = 0.6,
    swaps: float = 0.06,
) -> Stimulus:
    """Everything at random times, extreme values among the rest."""
    return Stimulus(
        rows=_values(rng, (cycles, lanes), -128, 127),
        row_valid=rng.random(cycles) < valid,
        swap=rng.random(cycles) < swaps,
        load=rng.random(cycles) < loads,
        channel=rng.integers(0, channels, cycles),
        weights=_values(rng, (cycles, lanes), -127, 127),
    )


def corner_products(lanes: int) -> Stimulus:
    """Two channels: each pair of corner weights with each corner activation, in all lanes at once
    and in each lane alone."""
    patterns = [np.full(lanes, value) for value in ACTIVATION_CORNERS]
    patterns += [value * np.eye(lanes, dtype=int)[lane] for value in (-128, 127)
                 for lane in range(lanes)]  # fmt: skip
    parts = []
    for high in WEIGHT_CORNERS:
        for low in WEIGHT_CORNERS:
            loads = idle(2, lanes)
            loads.load[:] = True
            loads.channel[:] = (0, 1)
            loads.weights[:] = np.array([[low], [high]])
            rows = idle(len(patterns), lanes)
            rows.rows[:] = patterns
            rows.row_valid[:] = True
            rows.swap[0] = True
            parts += [loads, rows]
    return join(*parts)


def expected_sums(stimulus: Stimulus, channels: int) -> np.ndarray:
    """The sums of each cycle's row, int64 (cycles, channels)."""
    lanes = stimulus.rows.shape[1]
    loaded = np.zeros((channels, lanes), np.int64)
    live = loaded
    sums = np.zeros((len(stimulus), channels), np.int64)
    for cycle in range(len(stimulus)):
        if stimulus.swap[cycle]:
            live = loaded.copy()
        sums[cycle] = live @ stimulus.rows[cycle]
        if stimulus.load[cycle]:
            loaded[stimulus.channel[cycle]] = stimulus.weights[cycle]
    return sums


def skewed(lanes: np.ndarray, first: int) -> np.ndarray:
    """(cycles, lanes) as a chain needs it: lane ``l`` is ``first + l mod 8`` cycles later."""
    result = np.zeros_like(lanes)
    for lane in range(lanes.shape[1]):
        delay = first + lane % CHAIN_LENGTH
        result[delay:, lane] = lanes[: len(lanes) - delay, lane]
    return result


def pack_rows(rows: np.ndarray) -> list[int]:
    """Each row of int8 values as one vector."""
    return [pack(row, 8) for row in rows]


def _values(rng: np.random.Generator, shape: tuple[int, int], low: int, high: int) -> np.ndarray:
    """A third of the vectors all extremes, a third one extreme throughout, the others anything."""
    anything = rng.integers(low, high + 1, shape)
    extremes = rng.choice((low, high), shape)
    constant = np.broadcast_to(rng.choice((low, high), (shape[0], 1)), shape)
    kind = rng.integers(0, 3, (shape[0], 1))
    return np.choose(kind, (anything, extremes, constant)).astype(np.int8)
