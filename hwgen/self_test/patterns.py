# SPDX-License-Identifier: Apache-2.0
"""Numbers that show a wire that is stuck, one that is another's neighbour, and an address that is
not decoded.
"""

import numpy as np

from hwgen.numerics.fixed_point import MAX_SHIFT, Ratio, ratio_from

ROWS = 40
"""Of a block of test words: more than a page of beats where a vector takes two."""


def words(rng: np.random.Generator, lanes: int, bits: int) -> np.ndarray:
    """Test words, int8 or int16 (ROWS, lanes) for 8 or 16 ``bits``: a one walking through zeros,
    a zero walking through ones, checkerboards, and random ones, -32768 left out.
    """
    kind = np.int8 if bits == 8 else np.int16
    place = np.arange(bits)[:, None] + np.arange(lanes)
    one = (1 << place % bits).astype(kind)
    parity = (np.arange(2)[:, None] + np.arange(lanes)) % 2
    boards = np.where(parity, 0x5555, 0xAAAA).astype(kind)
    known = np.concatenate([one, ~one, boards])
    rest = rng.integers(-(1 << bits - 1), 1 << bits - 1, (ROWS - len(known), lanes))
    rows = np.concatenate([known, rest.astype(kind)])
    return np.maximum(rows, np.int16(-32767)).astype(kind)


def addresses(depth: int) -> list[int]:
    """The first vector of a buffer, the last one, and between them all that have a single bit set:
    any two bits of an address that are one, and any that is none, make two of these the same.
    """
    powers = [1 << bit for bit in range(depth.bit_length()) if 1 << bit < depth]
    return sorted({0, *powers, depth - 1})


def signs(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random numbers -1 and 1, int64."""
    return 2 * rng.integers(0, 2, shape) - 1


def ratios(rng: np.random.Generator, accumulators: np.ndarray, limit: int) -> list[Ratio]:
    """For each accumulator (n,) a random ratio that brings it to 1/64 of ``limit`` up to twice
    that; now and then a half, the largest one or the smallest one there is.
    """
    sizes = limit * 2.0 ** rng.uniform(-6, 1, len(accumulators)) / np.maximum(abs(accumulators), 1)
    found = [ratio_from(min(float(size), 32767.0)) for size in sizes]
    found[5::8] = [Ratio(1 << 15, 16)] * len(found[5::8])
    found[3::16] = [Ratio(65535, 1)] * len(found[3::16])
    found[8::16] = [Ratio(1 << 15, MAX_SHIFT)] * len(found[8::16])
    return found
