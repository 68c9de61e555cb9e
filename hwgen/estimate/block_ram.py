# SPDX-License-Identifier: Apache-2.0
"""How many memory blocks a buffer of a given width and depth takes."""

BRAM36_SHAPES = ((72, 512), (36, 1024), (18, 2048), (9, 4096), (4, 8192), (2, 16384), (1, 32768))
"""Width in bits and depth of one block as simple dual port (AMD UG573)."""

URAM_WIDTH, URAM_DEPTH = 72, 4096


BLOCK_LUTS = 100
"""LUTs that a block is worth where fewer blocks would need a wider multiplexer."""


def bram36_grid(width: int, depth: int) -> tuple[int, int]:
    """Columns and rows of RAMB36E2 that make a simple dual-port memory of ``depth`` words of
    ``width`` bits, of one shape: the fewest blocks with what joins them in depth.

    Yosys builds 2048 bits x 1024 the same way (57 blocks). With a write enable for each 64 bits
    each bank counts by itself: 32 times 64 x 1024 is 64.
    """

    def cost(grid: tuple[int, int]) -> tuple[int, int]:
        columns, rows = grid
        return columns * rows * BLOCK_LUTS + join_luts(width, rows), rows

    return min(((-(-width // w), -(-depth // d)) for w, d in BRAM36_SHAPES), key=cost)


def join_luts(width: int, rows: int) -> int:
    """LUTs that choose one of ``rows`` blocks for each bit: 4-to-1 multiplexers."""
    return width * -(-(rows - 1) // 3)


def bram36(width: int, depth: int) -> int:
    """RAMB36E2 of that memory."""
    columns, rows = bram36_grid(width, depth)
    return columns * rows


def uram(width: int, depth: int) -> int:
    """URAM288 of the same memory."""
    return -(-width // URAM_WIDTH) * -(-depth // URAM_DEPTH)
