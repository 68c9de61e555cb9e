# SPDX-License-Identifier: Apache-2.0
"""Predicted and measured cycles side by side."""

from collections import Counter
from dataclasses import dataclass

from hwgen.report.schema import Report

SMALL = 0.01
"""An instruction is small below this share of the cycles of an image."""


@dataclass(frozen=True)
class Cycles:
    """Cycles of one instruction; ``measured`` is None before RTL simulation."""

    predicted: int
    measured: int | None
    small: bool

    @property
    def known(self) -> int:
        """Measured cycles, or the prediction where there are none."""
        return self.predicted if self.measured is None else self.measured

    @property
    def error(self) -> float | None:
        """Predicted / measured - 1; None where nothing was measured, or no cycle."""
        return self.predicted / self.measured - 1 if self.measured else None


@dataclass(frozen=True)
class Comparison:
    """A report's cycles.

    Attributes:
        total: of one run.
        instructions: one entry for each.
        stalls: cause, predicted and measured cycles of the run (measured None before RTL
            simulation); the largest first.
        busy: cycles in which a row entered the array, predicted and measured.
    """

    total: Cycles
    instructions: tuple[Cycles, ...]
    stalls: tuple[tuple[str, int, int | None], ...]
    busy: tuple[int, int | None]

    @property
    def worst(self) -> int | None:
        """Index of the instruction, of those not small, with the largest error."""
        errors = {i: c.error for i, c in enumerate(self.instructions) if not c.small}
        found = {i: abs(error) for i, error in errors.items() if error is not None}
        return max(found, key=lambda i: found[i]) if found else None


def compare(report: Report) -> Comparison:
    """The cycles of a report, total, by instruction and by cause of waiting."""
    rtl = report.verification.rtl
    measured = [i.cycles for i in rtl.instructions] if rtl else [None] * len(report.instructions)
    total = rtl.cycles if rtl else report.cycles.predicted
    least = SMALL * total / report.batch
    instructions = tuple(
        Cycles(item.cycles, found, max(item.cycles, found or 0) < least)
        for item, found in zip(report.instructions, measured, strict=True)
    )
    predicted: Counter[str] = Counter()
    for item in report.instructions:
        predicted.update(item.stalls)
    found = rtl.stalls if rtl else predicted
    causes = sorted(predicted | Counter(found), key=lambda cause: (-found.get(cause, 0), cause))
    return Comparison(
        Cycles(report.cycles.predicted, rtl.cycles if rtl else None, False),
        instructions,
        tuple((c, predicted[c], rtl.stalls.get(c, 0) if rtl else None) for c in causes),
        (report.cycles.predicted - predicted.total(), rtl.busy if rtl else None),
    )
