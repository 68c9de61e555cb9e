# SPDX-License-Identifier: Apache-2.0
"""Predicted resources of the units that compute.

The figures of a lane and of what all lanes share are measured: Yosys 0.70 (``synth_xilinx -family
xcup``) on the SystemVerilog of engines with 16 and 64 lanes (``hwgen estimate --synth``). What
follows from structure (slices, adder trees, memories) is computed. Yosys leaves the registers
around a product in the fabric; Vivado moves most of them into the DSP slice.
"""

from hwgen.estimate.block_ram import bram36
from hwgen.estimate.usage import Usage
from hwgen.golden.select import most_heads
from hwgen.program.engine import EngineConfig

CASCADE = 8
"""DSPs of one cascade: eight products of two packed 18-bit lanes cannot overflow."""
CASCADE_SUM = 18
"""Bits of a cascade's sum."""
ACCUMULATOR = 27
"""Bits of an accumulator."""


def array(engine: EngineConfig) -> Usage:
    """Multipliers: one DSP holds two products; a tree of adders for each column joins its
    cascades. Rows and weights are skewed by 0 to 7 cycles, in shift registers from the third on.
    """
    lanes = engine.lanes
    widths = [
        CASCADE_SUM + level
        for level in range(1, (lanes // CASCADE).bit_length())
        for _ in range(lanes // CASCADE >> level)
    ]
    strobes = 3 * CASCADE
    pair = Usage(lut=2 * sum(width - 1 for width in widths), ff=2 * sum(widths) + strobes)
    return pair * (lanes // 2) + Usage(lut=13 * lanes, ff=6 * lanes, dsp=lanes * lanes // 2)


def accumulator(engine: EngineConfig) -> Usage:
    """The partial sum of every row and lane. The adders are counted in ``row_pipeline``."""
    width = ACCUMULATOR * engine.lanes
    return Usage(ff=width, bram36=bram36(width, engine.max_rows))


def epilogue(engine: EngineConfig) -> Usage:
    """Bias, requantisation, GELU, residual sum, and two sets of parameters. A lane has one product
    for the requantisation and four for GELU, which has a requantisation of its own.
    """
    return Usage(lut=508, ff=502, dsp=5) * engine.lanes


def layer_norm(engine: EngineConfig) -> Usage:
    """Row statistics behind the epilogue and normalisation before the array.

    A lane has a product for its square and one for its normalisation. Shared: 13 products of the
    row unit; memories of sums (32 bits), squares (46), both of them finished (78), and of mean and
    ratio (44).
    """
    rows = engine.max_rows
    memories = sum(bram36(width, rows) for width in (32, 46, 78, 44))
    return Usage(lut=172, ff=226, dsp=2) * engine.lanes + Usage(
        lut=670, ff=1310, dsp=13, bram36=memories
    )


def softmax(engine: EngineConfig) -> Usage:
    """Row maximum, exponentials, row sum and its reciprocal.

    A lane has a table of exponentials in LUTs. Shared: three products that fill the tables, four
    of the ratio; memories of maxima (8 bits, as they grow and as they are read) and sums (23).
    """
    rows = engine.max_rows
    return Usage(lut=73, ff=41) * engine.lanes + Usage(
        lut=350, ff=630, dsp=3 + 4, bram36=bram36(8 + 8, rows) + bram36(23, rows)
    )


def token_selection(engine: EngineConfig) -> Usage:
    """Decision over rows, and the sums that means are made of.

    A head has two sigmoids, its share of the products, and a place in the adder trees, which take
    as many heads as there can be.
    """
    heads = most_heads(engine.lanes)
    decision = Usage(lut=153, ff=174) * heads + Usage(lut=1200, ff=1320)
    return decision + Usage(lut=45, ff=43) * engine.lanes


def row_pipeline(engine: EngineConfig) -> Usage:
    """What takes a row from unit to unit: delays in shift registers, multiplexers, the adders of
    the accumulators, the output queue.
    """
    return Usage(lut=171, ff=124) * engine.lanes + Usage(lut=500, ff=400)
