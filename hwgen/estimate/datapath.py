# SPDX-License-Identifier: Apache-2.0
"""Predicted resources of the units that compute.

"Measured" figures are Yosys 0.70 (``synth_xilinx -family xcup``) on prototypes: the 64 x 64 array
and single lanes. The rest is counted by hand from word widths: one LUT a bit of an adder, a
comparator or a two-way multiplexer, one flip-flop a bit of a pipeline stage.
"""

from hwgen.estimate.block_ram import bram36
from hwgen.estimate.usage import Usage
from hwgen.program.engine import EngineConfig

CASCADE = 8
"""DSPs of one cascade: eight products of two packed 18-bit lanes cannot overflow."""

BARREL = Usage(lut=221, ff=143)
"""A variable rounding shift of a 43-bit product with saturation. Measured: the variable-shift
requantisation (265 LUT, 251 FF) less the constant-shift one (44 LUT, 108 FF)."""

REQUANTISE = Usage(lut=44, ff=108, dsp=1) + BARREL
"""A 27 x 18 product, rounding shift by channel, saturation. Measured, see ``BARREL``."""

PIECEWISE = Usage(lut=250, ff=200, dsp=3)
"""One reciprocal or inverse square root a cycle: leading-zero count and shift of the mantissa,
three coefficients from a table in LUTs, three products (c1 x, x x, c2 x x). Counted."""


def array(engine: EngineConfig) -> Usage:
    """Multipliers: one DSP holds two products. Measured for 64 lanes: 2,048 DSP, 8,352 LUT and
    8,928 FF, that is 260 LUT and 279 FF for a pair of columns with eight cascades plus 32 LUT;
    the fabric part grows with the cascades. Counted: activations skewed by 0 to 7 cycles and
    copied for four quarters of the columns.
    """
    lanes = engine.lanes
    pairs, cascades = lanes // 2, lanes // CASCADE
    adders = Usage(lut=260, ff=279) * pairs
    skew = Usage(lut=8 * lanes, ff=(28 + 4 * 8) * lanes)
    return Usage(
        lut=adders.lut * cascades // CASCADE + 32 + skew.lut,
        ff=adders.ff * cascades // CASCADE + skew.ff,
        dsp=lanes * lanes // 2,
    )


def accumulator(engine: EngineConfig) -> Usage:
    """32-bit adders and the memory of one partial sum per row and lane, 36-bit wide banks.
    Counted: an adder with bypass of the first slice, two pipeline stages.
    """
    bits = 32 * engine.lanes
    return Usage(lut=bits, ff=3 * bits, bram36=bram36(bits, engine.max_rows))


def epilogue(engine: EngineConfig) -> Usage:
    """Bias, requantisation, residual sum, output selection. Counted: 27-bit bias adder, 17-bit
    residual sum with saturation (34 LUT), a multiplexer between channel and row factor (24 LUT),
    16-bit output selection, and two sets of 56 parameter bits a lane.
    """
    lane = REQUANTISE + Usage(lut=27 + 34 + 24 + 16, ff=27 + 34 + 16 + 2 * 56)
    return lane * engine.lanes


def gelu(engine: EngineConfig) -> Usage:
    """The polynomial and its own requantisation: four products a lane (t t, slope, x erf, output
    factor). Measured: 150 LUT with shift registers, 197 FF and 3 DSP with a constant shift.
    """
    lane = Usage(lut=150, ff=197, dsp=4) + BARREL
    return lane * engine.lanes


def layer_norm(engine: EngineConfig) -> Usage:
    """Row statistics behind the epilogue and normalisation before the array.

    Counted. A lane: a 22-bit subtraction, one product and a variable shift on the way in, and one
    product for the square on the way out. Adder trees of 16-bit values and 32-bit squares.
    Row units: mean (3 DSP), variance (6), inverse square root, output factor (1). Memories of
    ``max_rows``: sums (27 + 43 bits), mean, factor and shift (22 + 17 + 6 bits).
    """
    lanes, rows = engine.lanes, engine.max_rows
    lane = Usage(lut=22, ff=22 + 16, dsp=2) + BARREL
    trees = Usage(lut=(18 + 34) * lanes, ff=(18 + 34) * lanes)
    unit = PIECEWISE + Usage(lut=400, ff=500, dsp=3 + 6 + 1)
    memory = Usage(bram36=bram36(70, rows) + bram36(45, rows))
    return lane * lanes + trees + unit + memory


def softmax(engine: EngineConfig) -> Usage:
    """Row maximum, exponentials, row sum and its reciprocal.

    Measured: a reloadable 256 x 8 table a lane (12 LUT + 64 LUT of RAM, 16 FF). Counted: an 8-bit
    subtraction a lane, a tree of maxima (16 LUT a node) and of sums (10 LUT a node), the unit that
    fills the tables (5 DSP), the reciprocal with the output factor (1 DSP), and memories of
    ``max_rows`` maxima (8 bits), factors and shifts (23 bits).
    """
    lanes, rows = engine.lanes, engine.max_rows
    lane = Usage(lut=12 + 64 + 8, ff=16 + 16)
    trees = Usage(lut=26 * lanes, ff=18 * lanes)
    unit = PIECEWISE + Usage(lut=350, ff=400, dsp=5 + 1)
    return lane * lanes + trees + unit + Usage(bram36=bram36(8, rows) + bram36(23, rows))
