# SPDX-License-Identifier: Apache-2.0
"""How many memory blocks a buffer of a given width and depth takes."""

LUTRAM_DEPTH = 64
"""Memories up to this depth go into LUTs: a RAM64M8 holds 64 x 8 bits in 8 LUTs."""

BRAM36_SHAPES = ((72, 512), (36, 1024), (18, 2048), (9, 4096), (4, 8192), (2, 16384), (1, 32768))
"""Width in bits and depth of one block as simple dual port (AMD UG573)."""

URAM_WIDTH, URAM_DEPTH = 72, 4096


def bram36_grid(width: int, depth: int) -> tuple[int, int]:
    """Columns and rows of RAMB36E2 that make a simple dual-port memory of ``depth`` words of
    ``width`` bits: the fewest blocks of one shape, and of those the fewest rows.

    Yosys builds 2048 bits x 1024 the same way (57 blocks). With a write enable for each 64 bits
    each bank counts by itself: 32 times 64 x 1024 is 64.
    """
    grids = [(-(-width // w), -(-depth // d)) for w, d in BRAM36_SHAPES]
    return min(grids, key=lambda grid: (grid[0] * grid[1], grid[1]))


def bram36(width: int, depth: int) -> int:
    """RAMB36E2 of that memory."""
    columns, rows = bram36_grid(width, depth)
    return columns * rows


def uram(width: int, depth: int) -> int:
    """URAM288 of the same memory."""
    return -(-width // URAM_WIDTH) * -(-depth // URAM_DEPTH)


def lutram(width: int, depth: int) -> int:
    """LUTs of the same memory in distributed RAM."""
    return 8 * -(-width // 8) * -(-depth // LUTRAM_DEPTH)
