# SPDX-License-Identifier: Apache-2.0
"""What token selection did, for the report: rows, patches, and cycles at these rows."""

from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np

from hwgen.estimate.cycles import estimate_cycles
from hwgen.estimate.result import CycleEstimate
from hwgen.estimate.timing import Timing
from hwgen.golden.selections import Selection, Stage, rows_written, stages
from hwgen.program.program import Program
from hwgen.report.parts import SELECTOR, parts, selectors_of
from hwgen.report.schema import (
    KeptPatches,
    Pruning,
    Report,
    RowCount,
    RunCycles,
    SelectorReport,
    Spread,
)

MOST_RUNS = 256
"""Runs whose cycles the report lists."""
MOST_IMAGES = 16
"""Images whose patches the report shows."""

Run = tuple[Selection, ...]


def pruning(
    program: Program, timing: Timing, runs: Sequence[Run], images: int, *, real: bool
) -> Pruning | None:
    """What the selectors of a program did in ``runs``; None where it has none.

    Args:
        images: how many there were; a last run may have been filled up.
        real: whether they were given.
    """
    batch = program.input.batch
    found = [stage for number, run in enumerate(runs) for stage in _shift(program, run, number)]
    found = [stage for stage in found if stage.image < images]
    if not found:
        return None
    cycles = run_cycles(program, timing, runs)
    shown = _predict(program, timing)(rows_written(runs[0]))
    side = program.input
    return Pruning(
        images=images,
        real=real,
        grid=(side.height // side.patch, side.width // side.patch),
        selectors=tuple(
            _selector(name, block, [s for s in found if s.selector == name], program, shown)
            for name, block in _places(program).items()
        ),
        cycles_mean=float(np.mean([run.predicted for run in cycles])),
        cycles_most=estimate_cycles(program, timing).total,
        runs=cycles,
        kept=tuple(
            KeptPatches(
                image=image,
                patches=tuple(_digits(s.patches) for s in found if s.image == image),
            )
            for image in range(min(images, MOST_IMAGES, batch * len(runs)))
        ),
    )


def run_cycles(
    program: Program, timing: Timing, runs: Sequence[Run], measured: Sequence[int] | None = None
) -> tuple[RunCycles, ...]:
    """Predicted cycles of the first runs, beside those ``measured``; none where the program
    selects nothing.
    """
    predict = _predict(program, timing)
    shown = runs[:MOST_RUNS]
    return tuple(
        RunCycles(
            rows=_rows(program, run),
            predicted=predict(rows_written(run)).total,
            measured=None if measured is None else measured[number],
        )
        for number, run in enumerate(shown)
    )


def with_shares(report: Report) -> Report:
    """The report with the selectors' cycles as its instructions have them now."""
    if report.pruning is None:
        return report
    total = report.cycles.predicted
    selectors = []
    for selector in report.pruning.selectors:
        cycles = sum(
            item.cycles
            for item in report.instructions
            if item.part == SELECTOR and item.label.startswith(f"{selector.name} ")
        )
        selectors.append(selector.model_copy(update={"cycles": cycles, "share": cycles / total}))
    update = {"pruning": report.pruning.model_copy(update={"selectors": tuple(selectors)})}
    return report.model_copy(update=update)
