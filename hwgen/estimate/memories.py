# SPDX-License-Identifier: Apache-2.0
"""Predicted resources of the buffers, the memory ports and the control.

Block counts follow from width and depth (``block_ram``). The logic around them is counted by
hand: a 4-to-1 multiplexer a LUT, so joining n blocks in depth takes (n - 1) / 3 LUT a bit.
"""

from hwgen.estimate.block_ram import LUTRAM_DEPTH, bram36_grid, lutram, uram
from hwgen.estimate.usage import Usage
from hwgen.program.engine import EngineConfig


def memory(width: int, depth: int, *, ultra: bool = False) -> Usage:
    """A simple dual-port memory in LUTs, block RAM or UltraRAM, with a registered output and a
    two-stage address.
    """
    registers = 2 * width + 2 * depth.bit_length()
    if depth <= LUTRAM_DEPTH:
        return Usage(lut=lutram(width, depth), ff=registers)
    if ultra:
        # UltraRAM joins in depth through its own cascade.
        return Usage(ff=registers, uram=uram(width, depth))
    columns, rows = bram36_grid(width, depth)
    return Usage(lut=width * -(-(rows - 1) // 3), ff=registers, bram36=columns * rows)


def residual_buffer(engine: EngineConfig, *, ultra: bool = False) -> Usage:
    """int16 vectors."""
    return memory(16 * engine.lanes, engine.residual_depth, ultra=ultra)


def work_buffer(engine: EngineConfig, *, ultra: bool = False) -> Usage:
    """int8 vectors."""
    return memory(8 * engine.lanes, engine.work_depth, ultra=ultra)


def value_buffer(engine: EngineConfig) -> Usage:
    """int8 vectors in ``lanes`` byte-wide banks, so that rows are written and columns read.
    Byte rotators on both ports: log4(lanes) levels of 4-to-1 multiplexers.
    """
    bits = 8 * engine.lanes
    levels = -(-(engine.lanes.bit_length() - 1) // 2)
    rotators = Usage(lut=2 * levels * bits, ff=2 * bits)
    return memory(8, engine.value_depth) * engine.lanes + rotators


def score_buffers(engine: EngineConfig) -> Usage:
    """int8 scores of two heads, and exponentials of two heads."""
    return memory(8 * engine.lanes, engine.score_depth) * 4


def prefetch_buffer(engine: EngineConfig, *, ultra: bool = False) -> Usage:
    """Beats of weights and parameters, with the pointers of a FIFO."""
    return memory(8 * engine.lanes, engine.prefetch_depth, ultra=ultra) + Usage(lut=150, ff=150)


def memory_ports(engine: EngineConfig) -> Usage:
    """Read masters of 128 bits with 256 beats of buffer each (four bursts of 64), page striping,
    and a write master on the first port. Counted: about three words of 128 bits in registers and
    700 LUT of address and burst logic a port.
    """
    port = Usage(lut=700, ff=900) + memory(128, 256)
    return port * engine.ports + Usage(lut=1200, ff=1500)


def control(engine: EngineConfig) -> Usage:
    """Register file, instruction fetch (64 instructions of 512 bits in block RAM), sequencer with
    address generators for five operands, tile loader, watchdog and counters. Counted.
    """
    return Usage(lut=5000, ff=6000) + memory(512, 128)
