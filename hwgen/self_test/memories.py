# SPDX-License-Identifier: Apache-2.0
"""Checks of memory ports, buffers and the prefetch buffer.

The residual buffer is read through the adder behind the array, with a layer that makes nothing of
whatever it is given: so a fault of one port shows in that port's lanes alone.
"""

import numpy as np

from hwgen.numerics.fixed_point import Ratio, ratio_from
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import TokenSelect
from hwgen.self_test.patterns import ROWS, addresses, signs, words
from hwgen.self_test.writer import ZERO, Writer, normalisation

LARGEST = Ratio(65535, 1)
INSTRUCTIONS = 12
"""Of each kind in the check of the prefetch buffer: the engine decodes 32 instructions ahead."""
LONGEST_COPY = 255
"""Rows that stay whatever their scores, at most."""


def write_path(writer: Writer) -> None:
    """The largest number, the smallest one and zero, made of biases: no bit of what a port reads
    wrongly can change them, with few exceptions.
    """
    writer.load(np.zeros((ROWS, writer.lanes), np.int8), Buffer.WORK, 0)
    kinds = writer.rng.integers(-1, 2, 8 * writer.lanes)
    ratios = [LARGEST if kind else ZERO for kind in kinds]
    writer.show(writer.biased(kinds << 25, ratios), 16)


def residual_words(writer: Writer, region: Region) -> None:
    writer.load(words(writer.rng, writer.lanes, 16), Buffer.RESIDUAL, 0, region)
    writer.show_residual(0, ROWS)


def work_words(writer: Writer, region: Region, offset_binary: int = 0) -> None:
    block = words(writer.rng, writer.lanes, 8)
    writer.load(block, Buffer.WORK, 0, region, offset_binary)
    writer.show_work(0, ROWS)


def residual_addresses(writer: Writer) -> None:
    places = _residual_places(writer)
    for place in places:
        writer.show_residual(place, 1)


def residual_addresses_normalised(writer: Writer) -> None:
    """The same by the other way out of the buffer, through LayerNorm, which here leaves numbers
    about as large as they are, and the array.
    """
    places = _residual_places(writer)
    for place in places:
        writer.show(writer.identity, 1, place, **normalisation(writer.lanes, 73))


def work_addresses(writer: Writer) -> None:
    places = addresses(writer.engine.work_depth)
    rows = writer.rng.integers(-127, 128, (len(places), 1, writer.lanes)).astype(np.int8)
    for place, row in zip(places, rows, strict=True):
        writer.load(row, Buffer.WORK, place)
    for place in places:
        writer.show_work(place, 1)


def prefetch(writer: Writer) -> None:
    """Products of one row with more weights than the prefetch buffer holds, behind copies that keep
    the engine busy while it fills.
    """
    engine, lanes = writer.engine, writer.lanes
    slices = -(-engine.prefetch_depth // (INSTRUCTIONS * lanes))
    slices = min(slices, engine.work_depth)
    weights = writer.rng.integers(-127, 128, (lanes, slices * lanes)).astype(np.int8)
    layer = writer.layer(weights, ratio=ratio_from(8 / np.sqrt(slices)))
    writer.load(signs(writer.rng, slices, lanes).astype(np.int8), Buffer.WORK, 0)
    # A selection reads as many scores, whether it heeds them or not.
    rows = min(LONGEST_COPY, engine.max_rows, engine.residual_depth, engine.work_depth)
    copies = -(-2 * engine.prefetch_depth // (rows * (engine.residual_depth // rows)))
    for _ in range(min(copies, INSTRUCTIONS)):
        _copy_in_place(writer, rows, engine.residual_depth // rows)
    for _ in range(INSTRUCTIONS + 1):
        writer.show(layer, 1)


def _residual_places(writer: Writer) -> list[int]:
    places = addresses(writer.engine.residual_depth)
    rows = writer.rng.integers(-127, 128, (len(places), 1, writer.lanes)).astype(np.int16)
    for place, row in zip(places, rows, strict=True):
        writer.load(row, Buffer.RESIDUAL, place)
    return places


def _copy_in_place(writer: Writer, rows: int, slices: int) -> None:
    writer.emit(
        TokenSelect(
            rows=rows,
            rows_register=0,
            source_address=0,
            source_stride=rows,
            destination_address=0,
            destination_stride=rows,
            slices=slices,
            score_address=0,
            heads=0,
            threshold=0,
            limit=0,
            prefix=rows,
            count_register=0,
        )
    )
