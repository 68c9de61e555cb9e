# SPDX-License-Identifier: Apache-2.0
"""What token selection did, for the report: rows, patches, and cycles at these rows."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from hwgen.estimate.cycles import estimate_cycles
from hwgen.estimate.timing import Timing
from hwgen.golden.selections import Selection, Stage, of_selector, rows_written, stages
from hwgen.program.program import Program
from hwgen.report.parts import SELECTOR
from hwgen.report.pictures import MOST_PICTURES, picture
from hwgen.report.schema import (
    InstructionReport,
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
"""The token selections of one run."""
MacsOf = Callable[[Sequence[int]], int]
"""Multiplications of an image of which the selectors, in their order, leave so many rows."""


def pruning(
    program: Program,
    timing: Timing,
    runs: Sequence[Run],
    images: np.ndarray,
    instructions: Sequence[InstructionReport],
    macs_of: MacsOf,
    macs_dense: int,
    *,
    real: bool,
) -> Pruning | None:
    """What the selectors of a program did in ``runs``; None where it has none.

    Args:
        images: uint8 (images, height, width, channels); the last run may have been filled up.
        instructions: of the report, with the cycles of the run it shows.
        macs_dense: multiplications of an image without the selectors.
        real: whether the images were given.
    """
    found = _stages(program, runs, len(images))
    if not found:
        return None
    cycles = run_cycles(program, timing, runs)
    side = program.input
    names = dict.fromkeys(stage.selector for stage in found)
    return Pruning(
        images=len(images),
        real=real,
        grid=(side.height // side.patch, side.width // side.patch),
        selectors=tuple(
            _selector(name, [s for s in found if s.selector == name], instructions)
            for name in names
        ),
        macs_mean=_macs(found, macs_of),
        macs_dense=macs_dense,
        cycles_mean=float(np.mean([run.predicted for run in cycles])),
        cycles_most=estimate_cycles(program, timing).total,
        runs=cycles,
        kept=tuple(
            KeptPatches(
                image=image,
                patches=tuple(_digits(s.patches) for s in found if s.image == image),
                picture=picture(pixels) if real and image < MOST_PICTURES else None,
            )
            for image, pixels in enumerate(images[:MOST_IMAGES])
        ),
    )


def run_macs(program: Program, run: Run, macs_of: MacsOf) -> int:
    """Multiplications of an image, the mean over a run."""
    return round(_macs(stages(program, run), macs_of))


def _macs(found: Sequence[Stage], macs_of: MacsOf) -> float:
    rows: dict[int, list[int]] = {}
    for stage in found:
        rows.setdefault(stage.image, []).append(stage.written)
    # Many images keep the same numbers of tokens.
    counted = Counter(tuple(written) for written in rows.values())
    return sum(n * macs_of(written) for written, n in counted.items()) / len(rows)


def run_cycles(
    program: Program, timing: Timing, runs: Sequence[Run], measured: Sequence[int] | None = None
) -> tuple[RunCycles, ...]:
    """Predicted cycles of the first runs, beside those ``measured``; none where nothing is
    selected.
    """

    @cache
    def predict(rows: tuple[int, ...]) -> tuple[int, int]:
        estimate = estimate_cycles(program, timing, rows)
        return estimate.total, estimate.macs

    found = []
    for number, run in enumerate(runs[:MOST_RUNS]):
        rows: Counter[str] = Counter()
        for stage in stages(program, run):
            rows[stage.selector] += stage.written
        if not rows:
            continue
        predicted, macs = predict(rows_written(run))
        found.append(
            RunCycles(
                rows=tuple(rows.values()),
                macs=macs,
                predicted=predicted,
                measured=None if measured is None else measured[number],
            )
        )
    return tuple(found)


def with_shares(report: Report) -> Report:
    """The report with the selectors' cycles as its instructions have them now."""
    if report.pruning is None:
        return report
    selectors = tuple(
        selector.model_copy(
            update={
                "cycles": _cycles(selector.name, report.instructions),
                "share": _share(selector.name, report.instructions),
            }
        )
        for selector in report.pruning.selectors
    )
    update = {"pruning": report.pruning.model_copy(update={"selectors": selectors})}
    return report.model_copy(update=update)


def _stages(program: Program, runs: Sequence[Run], images: int) -> list[Stage]:
    """What was done to each image, counted through all runs."""
    batch = program.input.batch
    found = (
        replace(stage, image=number * batch + stage.image)
        for number, run in enumerate(runs)
        for stage in stages(program, run)
    )
    return [stage for stage in found if stage.image < images]


def _selector(
    name: str, found: Sequence[Stage], instructions: Sequence[InstructionReport]
) -> SelectorReport:
    counts = Counter(stage.written for stage in found)
    return SelectorReport(
        name=name,
        block=next(item.block for item in _of(name, instructions)),
        rows_in=_spread([stage.read for stage in found]),
        rows_out=_spread([stage.written for stage in found]),
        counts=tuple(RowCount(rows=rows, images=n) for rows, n in sorted(counts.items())),
        cycles=_cycles(name, instructions),
        share=_share(name, instructions),
    )


def _digits(bits: np.ndarray) -> str:
    return np.packbits(bits).tobytes().hex()


def _of(name: str, instructions: Sequence[InstructionReport]) -> list[InstructionReport]:
    """The instructions of a selector."""
    return [i for i in instructions if i.part == SELECTOR and of_selector(i.label, name)]


def _cycles(name: str, instructions: Sequence[InstructionReport]) -> int:
    return sum(item.cycles for item in _of(name, instructions))


def _share(name: str, instructions: Sequence[InstructionReport]) -> float:
    return _cycles(name, instructions) / sum(item.cycles for item in instructions)


def _spread(values: Sequence[int]) -> Spread:
    return Spread(least=min(values), mean=float(np.mean(values)), most=max(values))
