# SPDX-License-Identifier: Apache-2.0
"""Bench of the tile path (sim/tops/tile_path.sv): what the array holds at every swap, the channel
parameters at theirs, and what LOAD writes, for random orders at random times.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from sim.lanes import idle, pack, start_clock, unpack
from sim.structs import enumeration, struct

PARAMETER_BEATS = 8
AHEAD = 8
"""Beats that come without a pause, where plenty are announced."""
SWAP_AHEAD = 3
ROW_TO_SWAP = 6
"""Cycles between that in which a tile is taken and that of its swap, at the least."""
TIMEOUT = 20_000
KIND = enumeration("load_kind_t")


@dataclass
class Orders:
    """What sequencer and memory send, and what must come of it."""

    loads: deque[int] = field(default_factory=deque)
    fills: deque[tuple[int, bool, int]] = field(default_factory=deque)  # from_value, again, order
    beats: deque[int] = field(default_factory=deque)
    tiles: deque[np.ndarray] = field(default_factory=deque)
    channels: deque[np.ndarray] = field(default_factory=deque)
    swaps_channels: deque[bool] = field(default_factory=deque)  # of each tile
    written: deque[tuple[str, int, list[int]]] = field(default_factory=deque)


def random_orders(
    rng: np.random.Generator, count: int, buffers: tuple[np.ndarray, np.ndarray]
) -> Orders:
    """Any kind after any other. Tiles of keys and values lie in the first half of ``buffers``."""
    orders = Orders()
    depth, lanes = buffers[0].shape

    def beats(number: int) -> np.ndarray:
        data = rng.integers(0, 256, (number, lanes))
        orders.beats.extend(pack(beat, 8) for beat in data)
        return data

    for kind in rng.choice(["TILE", "SQUARE", "WORK", "RESIDUAL", "DISCARD"], count,
                           p=[0.35, 0.35, 0.1, 0.1, 0.1]):  # fmt: skip
        order = {"kind": KIND[f"LOAD_{kind}"], "beats": lanes}
        if kind == "TILE":
            order["parameters"] = int(rng.integers(2))
            if order["parameters"]:
                order["beats"] += PARAMETER_BEATS
                orders.channels.append(beats(PARAMETER_BEATS))
            orders.swaps_channels.append(bool(order["parameters"]))
            orders.tiles.append(beats(lanes))
        elif kind == "SQUARE":
            order["transposed"] = int(rng.integers(2))
            from_value = int(rng.integers(2))
            rows = int(rng.choice([lanes, lanes, rng.integers(1, lanes + 1)]))
            address = int(rng.integers(depth // 2 - lanes))
            tile = buffers[from_value][address : address + lanes].copy()
            tile[rows:] = 0
            again = int(rng.integers(2))
            fill = {"from_value": from_value, "address": address, "rows": rows, "again": again}
            orders.fills.append((from_value, bool(again), struct("fill_t").pack(fill)))
            orders.swaps_channels.append(False)
            orders.tiles.append(tile.T if order["transposed"] else tile)
        elif kind == "DISCARD":
            order["beats"] = int(rng.integers(1, 40))
            beats(order["beats"])
        else:
            order["address"] = int(rng.integers(1 << 14))
            vectors = int(rng.integers(1, 20))
            wide = kind == "RESIDUAL"
            order["beats"] = vectors * (1 + wide)
            data = beats(order["beats"])
            if wide:
                values = data.astype(np.uint8).reshape(vectors, -1).view("<u2").astype(int)
            else:
                order["offset_binary"] = int(rng.integers(2))
                values = data ^ (0x80 * order["offset_binary"])
            for index, vector in enumerate(values):
                orders.written.append((str(kind), order["address"] + index, vector.tolist()))
        orders.loads.append(struct("load_order_t").pack(order))
    return orders


class Bench:
    def __init__(self, dut: Any, rng: np.random.Generator) -> None:
        self.dut, self.rng = dut, rng
        self.lanes = len(dut.beat) // 8
        self.depth = 1 << len(dut.write_address)
        self.shadow = np.zeros((self.lanes, self.lanes), np.int64)
        self.channels = np.zeros((PARAMETER_BEATS, self.lanes), np.int64)

    async def begin(self) -> tuple[np.ndarray, np.ndarray]:
        """Resets and fills both buffers; returns what they hold."""
        dut = self.dut
        start_clock(dut)
        for name in (
            "work_write", "value_write", "fill_valid", "load_valid", "beat_valid", "tile_taken",
            "swap_soon", "channel_swap", "beats_plenty", "work_settled", "value_settled",
            "row_address",
        ):  # fmt: skip
            getattr(dut, name).value = 0
        dut.reset.value = 1
        work, value = self.rng.integers(0, 256, (2, self.depth, self.lanes))
        for name, content in (("work_write", work), ("value_write", value)):
            for address, vector in enumerate(content):
                getattr(dut, name).value = 1
                dut.write_address.value = address
                dut.write_vector.value = pack(vector, 8)
                await RisingEdge(dut.clk)
            getattr(dut, name).value = 0
        dut.reset.value = 0
        await idle(dut, 2)
        return work, value

    async def run(self, orders: Orders, gaps: float, writes: float) -> int:
        """``gaps``: share of cycles in which orders, beats or buffers are not ready; ``writes``:
        share in which the work buffer is written. Returns the cycles taken.
        """
        dut, rng = self.dut, self.rng
        fast = not gaps
        swap_in = channel_swap_in = -1  # cycles until the tile that was taken is live
        for cycle in range(TIMEOUT):
            dut.load_valid.value = int(bool(orders.loads) and rng.random() >= gaps)
            dut.load.value = orders.loads[0] if orders.loads else 0
            settled = [int(rng.random() >= gaps), int(rng.random() >= gaps)]
            dut.work_settled.value, dut.value_settled.value = settled
            dut.fill_valid.value = int(bool(orders.fills))
            dut.fill.value = orders.fills[0][2] if orders.fills else 0
            dut.beat_valid.value = int(bool(orders.beats) and rng.random() >= gaps)
            dut.beat.value = orders.beats[0] if orders.beats else 0
            # With no gaps all beats come at once.
            dut.beats_plenty.value = int(not gaps and len(orders.beats) >= AHEAD)
            dut.work_write.value = int(rng.random() < writes)
            dut.write_address.value = int(rng.integers(self.depth // 2, self.depth))
            dut.write_vector.value = pack(rng.integers(0, 256, self.lanes), 8)
            # A tile is taken when the one before is live.
            take = int(dut.tile_ready.value) and swap_in < 0 and rng.random() >= gaps
            dut.tile_taken.value = int(take)
            dut.swap_soon.value = int(swap_in == SWAP_AHEAD)
            dut.channel_swap.value = int(channel_swap_in == 0)
            await RisingEdge(dut.clk)
            if swap_in == 0:
                assert (self.shadow == orders.tiles.popleft()).all()
                if orders.swaps_channels.popleft():
                    assert channel_swap_in < 0
                    channel_swap_in = int(rng.integers(1, 12)) + 1
            if channel_swap_in == 0:
                assert (self.channels == orders.channels.popleft()).all()
            swap_in = max(swap_in - 1, -1)
            if take:
                swap_in = ROW_TO_SWAP if fast else int(rng.integers(ROW_TO_SWAP, 30))
            channel_swap_in = max(channel_swap_in - 1, -1)
            if int(dut.load_valid.value) and int(dut.load_ready.value):
                orders.loads.popleft()
            if orders.fills and int(dut.fill_ready.value):
                from_value, again, _ = orders.fills.popleft()
                assert settled[from_value] or again
            if int(dut.beat_valid.value) and int(dut.beat_ready.value):
                orders.beats.popleft()
            self._collect(orders)
            left = (orders.loads, orders.beats, orders.tiles, orders.channels, orders.written)
            if not any(left) and int(dut.idle.value):
                assert not int(dut.full.value)
                return cycle
        raise AssertionError("the tile path hangs")

    def _collect(self, orders: Orders) -> None:
        """What comes out in this cycle."""
        dut, lanes = self.dut, self.lanes
        if int(dut.array_load.value):
            weights = unpack(dut.array_weights.value, lanes, "u1")
            self.shadow[int(dut.array_channel.value)] = weights
        if int(dut.channel_load.value):
            beat = unpack(dut.channel_beat.value, lanes, "u1")
            self.channels[int(dut.channel_index.value)] = beat
        for name, kind in (("loaded_work", "WORK"), ("loaded_residual", "RESIDUAL")):
            if int(getattr(dut, name).value):
                vector = unpack(dut.loaded_vector.value, lanes, "<u2").tolist()
                address = int(dut.loaded_address.value)
                assert (kind, address, vector) == orders.written.popleft()


@cocotb.test()
async def random_sequences(dut: Any) -> None:
    """Everything at once, at three speeds."""
    bench = Bench(dut, np.random.default_rng(0))
    buffers = await bench.begin()
    for gaps, writes in ((0.0, 0.0), (0.0, 0.5), (0.4, 0.3)):
        await bench.run(random_orders(bench.rng, 60, buffers), gaps, writes)


@cocotb.test()
async def tiles_come_at_the_rate_of_their_rows(dut: Any) -> None:
    """A tile of weights, keys or values takes LANES cycles and a few, the next one loads ahead."""
    bench = Bench(dut, np.random.default_rng(1))
    buffers = await bench.begin()
    rng, lanes, tiles = bench.rng, bench.lanes, 20
    for kind in ("TILE", "SQUARE"):
        while True:  # orders of one kind alone
            orders = random_orders(rng, 1, buffers)
            if (
                len(orders.tiles) == 1
                and not orders.channels
                and len(orders.fills) == (kind == "SQUARE")
            ):
                break
        for _ in range(tiles - 1):
            for queue in (orders.loads, orders.fills, orders.tiles, orders.swaps_channels):
                if queue:
                    queue.append(queue[0])
        if kind == "TILE":
            orders.beats.extend(list(orders.beats) * (tiles - 1))
        cycles = await bench.run(orders, 0.0, 0.0)
        dut._log.info("%s: %.1f cycles a tile", kind, cycles / tiles)
        # The next tile's first weights come with the swap, those of keys and values soon after.
        assert cycles <= tiles * (lanes + (1 if kind == "TILE" else 4)) + 60, (kind, cycles)


@cocotb.test()
async def reset_in_mid_run(dut: Any) -> None:
    bench = Bench(dut, np.random.default_rng(2))
    buffers = await bench.begin()
    for cycles in (30, 75, 200):
        running = cocotb.start_soon(bench.run(random_orders(bench.rng, 60, buffers), 0.1, 0.1))
        await idle(dut, cycles)
        running.cancel()
        for name in ("load_valid", "fill_valid", "beat_valid", "work_write", "tile_taken",
                     "swap_soon", "channel_swap", "beats_plenty"):  # fmt: skip
            getattr(dut, name).value = 0
        dut.reset.value = 1
        await idle(dut, 8)
        dut.reset.value = 0
        await bench.run(random_orders(bench.rng, 20, buffers), 0.2, 0.2)
