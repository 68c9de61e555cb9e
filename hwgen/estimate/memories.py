# SPDX-License-Identifier: Apache-2.0
"""Predicted resources of the buffers, the memory ports and the control.

Block counts follow from width and depth (``block_ram``): joining n blocks in depth takes
(n - 1) / 3 LUT a bit, a 4-to-1 multiplexer each. The logic around them is measured as in
``datapath``.
"""

from hwgen.estimate.block_ram import bram36_grid, join_luts, uram
from hwgen.estimate.usage import Usage
from hwgen.program.engine import EngineConfig

PORT_BITS = 128
"""Width of a memory port."""


def memory(width: int, depth: int, *, ultra: bool = False, reads: int = 1) -> Usage:
    """A memory in block RAM or UltraRAM with ``reads`` read ports, each with a register behind."""
    registers = width * reads
    if ultra:
        # UltraRAM joins in depth through its own cascade.
        return Usage(ff=registers, uram=uram(width, depth))
    columns, rows = bram36_grid(width, depth)
    return Usage(lut=reads * join_luts(width, rows), ff=registers, bram36=columns * rows)


def residual_buffer(engine: EngineConfig, *, ultra: bool = False) -> Usage:
    """int16 vectors."""
    return memory(16 * engine.lanes, engine.residual_depth, ultra=ultra)


def work_buffer(engine: EngineConfig, *, ultra: bool = False) -> Usage:
    """int8 vectors, read as rows and as tiles of keys."""
    return memory(8 * engine.lanes, engine.work_depth, ultra=ultra, reads=2)


def value_buffer(engine: EngineConfig) -> Usage:
    """int8 vectors."""
    return memory(8 * engine.lanes, engine.value_depth)


def score_buffer(engine: EngineConfig) -> Usage:
    """int8 scores."""
    return memory(8 * engine.lanes, engine.score_depth)


def tiles(engine: EngineConfig) -> Usage:
    """Filler, square and loader. The square: two tiles in a bank of bytes for each lane, in LUTs
    (seven bits of 64 entries, or fourteen of 32, in eight), and a rotator on either side, a LUT a
    bit for each bit of the index.
    """
    lanes = engine.lanes
    depth = 2 * lanes
    bank = 8 if depth <= 32 else 16 * (depth // 64)
    rotators = 2 * 8 * lanes * (lanes.bit_length() - 1)
    return Usage(lut=rotators + (bank + 20) * lanes, ff=72 * lanes + 165)


def prefetch_buffer(engine: EngineConfig, *, ultra: bool = False) -> Usage:
    """Beats of weights and parameters, a queue for each port."""
    queue = memory(PORT_BITS, engine.prefetch_depth, ultra=ultra) + Usage(lut=150, ff=190)
    return queue * engine.ports


def memory_ports(engine: EngineConfig) -> Usage:
    """Walk over the program, read masters, and the write master of the first port."""
    return Usage(lut=450, ff=880) * engine.ports + Usage(lut=1430, ff=1420, dsp=1)


def control(engine: EngineConfig) -> Usage:
    """Registers, start and watchdog, sequencer, issuer and their queues in LUTs; a table of the
    reciprocals of row counts.
    """
    return Usage(lut=3, ff=4) * engine.lanes + Usage(lut=4600, ff=3440, dsp=1, bram36=1)
