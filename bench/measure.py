# SPDX-License-Identifier: Apache-2.0
"""Runs the cases whose results are stale, and keeps results in ``bench/results.json``."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.cases import Case
from hwgen.errors import ToolError
from hwgen.progress import Progress
from hwgen.report.parts import SELECTOR
from hwgen.report.schema import Report, RtlResult

RESULTS = Path(__file__).parent / "results.json"
Results = dict[str, dict[str, Any]]


def load() -> Results:
    """Results of earlier runs by the name of their case; none where there is no file."""
    return json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}


def save(results: Results) -> None:
    """Replaces the file in one step, so that an interruption leaves the old or the new one."""
    scratch = RESULTS.with_suffix(".part")
    scratch.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    scratch.replace(RESULTS)


def measure(case: Case, known: dict[str, Any] | None, progress: Progress) -> dict[str, Any]:
    """The result of a case: ``known`` where it still holds, else of a new simulation.

    The prediction is always that of today's cost model.

    Raises:
        VerificationError: an output differs from the integer reference.
        ToolError: a tool is missing or failed.
    """
    design = case.build(progress)
    report, digest = design.summary, case.digest(design)
    stalls: Counter[str] = Counter()
    for instruction in report.instructions:
        stalls.update(instruction.stalls)
    prediction = {
        "batch": case.batch,
        "macs": report.macs,
        "predicted": report.cycles.predicted,
        "predicted_stalls": dict(stalls),
    }
    if known is not None and known["digest"] == digest:
        return known | prediction
    clock = _Stopwatch(progress)
    found = design.verify("rtl", images=case.batch, progress=clock, twin=case.twin).rtl
    assert found is not None, "that level measures"
    if case.digest(design) != digest:
        raise ToolError("The SystemVerilog changed while it was simulated. Run it again.")
    return prediction | {
        "digest": digest,
        "cycles": found.cycles,
        "utilisation": found.utilisation,
        "selectors": selector_cycles(report, found),
        "stalls": found.stalls,
        "array": found.array,
        "memory": found.memory,
        "images": found.images,
        "seconds": round(clock.seconds("RTL cycles"), 1),
    }


def selector_cycles(report: Report, found: RtlResult) -> int:
    """Measured cycles of the token selectors' instructions."""
    return sum(
        measured.cycles
        for item, measured in zip(report.instructions, found.instructions, strict=True)
        if item.part == SELECTOR
    )


class _Stopwatch:
    """A Progress that measures how long each stage takes."""

    def __init__(self, inner: Progress) -> None:
        self._inner = inner
        self._begun: list[tuple[str, float]] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        if not self._begun or self._begun[-1][0] != stage:
            self._begun.append((stage, time.monotonic()))
        self._inner(stage, done, total)

    def seconds(self, stage: str) -> float:
        """From the beginning of a stage to that of the next."""
        ends = [at for _, at in self._begun[1:]] + [time.monotonic()]
        spans = zip(self._begun, ends, strict=True)
        return sum(end - begun for (name, begun), end in spans if name == stage)
