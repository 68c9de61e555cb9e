# SPDX-License-Identifier: Apache-2.0
"""The time constants of the engine, in clock cycles unless said otherwise."""

import math
from dataclasses import dataclass

from hwgen.boards import Board
from hwgen.errors import ConfigError


@dataclass(frozen=True)
class Timing:
    """The memory as the cycle model sees it. Latencies inside the engine: ``latency.py``."""

    # Bytes of DDR per cycle: 12.8 GB/s usable on the ZCU102 at 300 MHz. The engine's ports cap it
    # at one beat a cycle.
    ddr_bytes: float = 12.8e9 / 300e6
    # From a read request to its first beat. Refresh and page misses are in ``ddr_bytes``.
    ddr_latency: int = 60
    # Cycles of fetch and sequencer from start to the first instruction: two reads, less their
    # latency; and from there to the request of its first beat.
    decode: int = 25
    request: int = 20
    # Cycles for a weight tile's share of the parameters that come with it.
    tile_margin: int = 4

    def __post_init__(self) -> None:
        if not self.ddr_bytes > 0:
            raise ConfigError(
                f"timing.ddr_bytes is {self.ddr_bytes}; the engine needs some memory bandwidth. "
                "Give a positive number of bytes a cycle."
            )

    @property
    def startup(self) -> int:
        """Start bit to the first instruction: the header is read, then the instruction."""
        return 2 * self.ddr_latency + self.decode

    def cycles_per_beat(self, lanes: int) -> float:
        """Cycles in which a beat of ``lanes`` bytes arrives; the ports take one a cycle."""
        return lanes / min(self.ddr_bytes, lanes)

    def tile_rows(self, lanes: int) -> int:
        """Rows that hide the arrival of a weight tile, at one row a cycle."""
        return math.ceil(lanes * self.cycles_per_beat(lanes)) + self.tile_margin


def timing_for(board: Board, clock_mhz: float | None = None) -> Timing:
    """The timing of an engine at ``clock_mhz`` (the board's default clock where None)."""
    clock = clock_mhz or board.clock_mhz
    return Timing(
        ddr_bytes=board.ddr.usable_gbps * 1000 / clock, ddr_latency=board.ddr.latency_cycles
    )
