# SPDX-License-Identifier: Apache-2.0
"""The time constants of the engine, in clock cycles unless said otherwise."""

from dataclasses import dataclass

from hwgen.boards import Board
from hwgen.errors import ConfigError


@dataclass(frozen=True)
class Timing:
    """What the cycle model assumes about the hardware below the Program.

    The latencies are design figures, to be checked against the RTL's cycle counter.
    """

    # Bytes of DDR per cycle: 12.8 GB/s usable on the ZCU102 at 300 MHz. The engine's ports cap it
    # at one beat a cycle.
    ddr_bytes: float = 12.8e9 / 300e6
    # From a read request to its first beat. Refresh and page misses are in ``ddr_bytes``.
    ddr_latency: int = 60
    # Start bit, header check and the first instruction fetch.
    startup: int = 150
    # Array bubble at each MATMUL and at each pass of a head. Instruction fetch itself is hidden.
    issue: int = 8
    # Vectors a cycle from the prefetch, WORK or VALUE buffer into the shadow weights: the array
    # takes the ``lanes`` weights of one channel a cycle.
    tile_vectors: int = 1
    # Row entry to partial sums: 13 in the array (B, M, P, 7 cascades, 3 tree levels), the rest
    # buffer read and operand selection.
    array_latency: int = 20
    # Accumulate, requantise, GELU or residual, write.
    epilogue_latency: int = 16
    # Last column of a row written to its normalised int8 at the array's input: mean, variance,
    # inverse square root, multiply.
    normalise_latency: int = 36
    # Scores of a row complete to its first exponentials readable. The sum's reciprocal is not in
    # it: that is needed in the epilogue only.
    softmax_latency: int = 20
    # Read-modify-write distance of one accumulator row.
    accumulate_distance: int = 8
    # Score buffers, and as many buffers of exponentials.
    score_buffers: int = 2
    # Most heads whose Q K^T runs ahead of the first P V; fewer where the buffers hold fewer.
    heads_ahead: int = 4

    def __post_init__(self) -> None:
        if not self.ddr_bytes > 0:
            raise ConfigError(
                f"timing.ddr_bytes is {self.ddr_bytes}; the engine needs some memory bandwidth. "
                "Give a positive number of bytes a cycle."
            )
        for name in ("tile_vectors", "score_buffers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"timing.{name} is {getattr(self, name)}; it is at least 1.")


def timing_for(board: Board, clock_mhz: float | None = None) -> Timing:
    """The timing of an engine at ``clock_mhz`` (the board's default clock where None)."""
    clock = clock_mhz or board.clock_mhz
    return Timing(
        ddr_bytes=board.ddr.usable_gbps * 1000 / clock, ddr_latency=board.ddr.latency_cycles
    )
