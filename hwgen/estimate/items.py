# SPDX-License-Identifier: Apache-2.0
"""What the sequencer (``kernels_rtl/sequencer.sv``) makes of an instruction: items for the issuer,
each with the tile that the loader brings for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from hwgen.numerics.fixed_point import Ratio
from hwgen.numerics.gelu import GeluConstants
from hwgen.numerics.layer_norm import NormaliseConstants
from hwgen.program.fields import Buffer
from hwgen.program.instructions import Attention, Matmul, TokenSelect

PARAMETER_BEATS = 8


class Kind(Enum):
    """What an item does."""

    PASS = auto()
    """Rows through the array."""
    MEASURE = auto()
    """Rows of the residual buffer through the row statistics."""
    NORMALISE = auto()
    """Row statistics become means and ratios."""
    SELECT = auto()
    """Rows of the residual buffer; those that stay are written, the others summed."""
    SUM = auto()
    """One row: the mean of the rows summed."""


class Place(Enum):
    """Where rows are read and written; the issuer keeps a writer's times for each."""

    NOTHING = auto()
    RESIDUAL = auto()
    WORK = auto()
    VALUE = auto()
    OUTPUT = auto()
    SCORES = auto()


@dataclass(frozen=True)
class Tile:
    """A tile: ``beats`` of the weight stream, or, where 0, keys or values from ``source``.

    Attributes:
        again: tiles before it have waited until these keys or values had arrived.
    """

    beats: int = 0
    source: Place = Place.NOTHING
    again: bool = False


@dataclass(frozen=True)
class Item:
    """The issuer's unit of work; ``source`` and ``target`` are (place, address of slice 0).

    Attributes:
        settled: it reads what has arrived completely, not row by row behind its writer.
        again: items before it have waited for what it reads.
        decides: with its last row the rows that the instruction writes are known.
        gelu: constants of its GELU: they stay while rows that use them are under way.
    """

    kind: Kind
    rows: int = 0
    source: tuple[Place, int] = (Place.NOTHING, 0)
    residual: int | None = None
    tile: Tile | None = None
    last: bool = False
    target: tuple[Place, int] = (Place.NOTHING, 0)
    settled: bool = False
    again: bool = False
    decides: bool = False
    gelu: tuple[GeluConstants, Ratio] | None = None


_PLACES = {
    Buffer.RESIDUAL: Place.RESIDUAL,
    Buffer.WORK: Place.WORK,
    Buffer.VALUE: Place.VALUE,
    Buffer.OUTPUT: Place.OUTPUT,
}


class Sequencer:
    """Keeps what is known of the residual stream: which matrix was measured, and normalised how."""

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._measured: tuple[int, int, int] | None = None
        self._measured_rows = 0
        self._normalised: NormaliseConstants | None = None
        self._normalised_rows = 0
        # The matrix in the work buffer that was written with the means of its slices: a reader
        # that would follow another one waits for all of it.
        self._averaged: tuple[int, int, int, int] | None = None

    def loaded(self, buffer: Buffer) -> None:
        """A LOAD wrote to ``buffer``."""
        if buffer == Buffer.RESIDUAL:
            self._measured = None

    def matmul(self, op: Matmul) -> Iterator[Item]:
        """Output slice by output slice; reduction slices inside."""
        rows = op.rows
        source = (Place.RESIDUAL if op.normalise else Place.WORK, op.source_address)
        if op.normalise:
            yield from self._normalise(op)
        target = (_PLACES[op.destination_buffer], op.destination_address)
        first = op.reduction_slices - op.second_slices
        behind = self._behind_means(op.source_address, op.source_stride, first, rows)
        gelu = (op.gelu_constants, op.gelu_output) if op.gelu else None
        two_passes = bool(op.normalise and op.residual)
        for part in range(op.output_slices):
            for k in range(op.reduction_slices):
                final = k == op.reduction_slices - 1
                last = final and not two_passes
                beats = self._lanes + (PARAMETER_BEATS if k == 0 else 0)
                yield Item(
                    Kind.PASS, rows, source, tile=Tile(beats), last=last, target=target,
                    residual=op.residual_address if op.residual and last else None,
                    settled=behind or k >= first, again=part > 0,
                    gelu=gelu if last else None,
                )  # fmt: skip
            if two_passes:
                yield Item(
                    Kind.PASS, rows, residual=op.residual_address, last=True, target=target,
                )  # fmt: skip
            if op.mean:
                yield Item(Kind.SUM, 1, last=True, target=(Place.WORK, op.mean_address))
        if op.destination_buffer == Buffer.WORK:
            where = (op.destination_address, op.destination_stride, op.output_slices, rows)
            self._averaged = where if op.mean else None
        if op.destination_buffer == Buffer.RESIDUAL:
            stride = op.destination_stride if op.output_slices > 1 else 0
            self._measured = (op.destination_address, stride, op.output_slices)
            self._measured_rows = rows
            self._normalised = None

    def _behind_means(self, address: int, stride: int, slices: int, rows: int) -> bool:
        """Whether a matrix must have arrived because means came between it and its reader."""
        if self._averaged is None:
            return False
        base, apart, most_slices, most_rows = self._averaged
        same = base == address and (apart == stride or most_slices == 1)
        return not (same and slices <= most_slices and rows <= most_rows)

    def _normalise(self, op: Matmul) -> Iterator[Item]:
        rows = op.rows
        source = (Place.RESIDUAL, op.source_address)
        stride = op.source_stride if op.reduction_slices > 1 else 0
        matrix = (op.source_address, stride, op.reduction_slices)
        known = self._measured == matrix and self._measured_rows >= rows
        if not known:
            for _ in range(op.reduction_slices):
                yield Item(Kind.MEASURE, rows, source)
            self._measured, self._measured_rows = matrix, rows
        if not (
            known and self._normalised == op.normalise_constants and self._normalised_rows >= rows
        ):
            yield Item(Kind.NORMALISE, source=source)
            self._normalised, self._normalised_rows = op.normalise_constants, rows

    def attention(self, op: Attention) -> Iterator[Item]:
        """Head by head: scores key tile by key tile, then values."""
        key_tiles = range(-(-op.keys // self._lanes))
        parts = range(op.head_slices)
        query, target = (Place.WORK, op.query_address), (Place.WORK, op.destination_address)
        scores = (Place.SCORES, 0)
        for head in range(op.heads):
            for _ in key_tiles:
                for part in parts:
                    yield Item(
                        Kind.PASS, op.rows, query, tile=Tile(source=Place.WORK, again=head > 0),
                        last=part == parts[-1], target=scores,
                    )  # fmt: skip
            for _ in parts:
                for key in key_tiles:
                    yield Item(
                        Kind.PASS, op.rows, scores, tile=Tile(source=Place.VALUE, again=head > 0),
                        last=key == key_tiles[-1], target=target,
                    )  # fmt: skip
        self._averaged = None

    def select(self, op: TokenSelect, written: int) -> Iterator[Item]:
        """Slice by slice; ``written`` rows, the package token among them."""
        scores = (Place.WORK, op.score_address)
        target = (Place.RESIDUAL, op.destination_address)
        for part in range(op.slices):
            yield Item(
                Kind.SELECT, op.rows, scores, last=True, target=target, again=part > 0,
                settled=self._averaged is not None, decides=part == 0,
            )  # fmt: skip
            if op.package:
                yield Item(Kind.SUM, 1, last=True, target=target)
        stride = op.destination_stride if op.slices > 1 else 0
        self._measured = (op.destination_address, stride, op.slices)
        self._measured_rows = written
        self._normalised = None
