# SPDX-License-Identifier: Apache-2.0
"""What the RTL did in a run: slices of its units, and every cycle attributed to an instruction."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hwgen.errors import ToolError
from hwgen.estimate.result import Cause
from hwgen.program.program import Program

UNITS = {
    "decode": "sequencer",
    "weights": "weight loader",
    "keys_values": "keys and values",
    "statistics": "normalisation",
    "rows": "array",
    "results": "epilogue",
    "output": "output",
}
"""Units of ``kernels_rtl/simulation/engine_trace.sv`` in the order of the data; their names."""

_CAUSES = (
    Cause.STARTUP,
    Cause.ISSUE,
    Cause.MEMORY,
    Cause.TILE_LOAD,
    Cause.PIPELINE,
    Cause.NORMALISE,
    Cause.SOFTMAX,
    Cause.DRAIN,
)
"""Columns of a share after its busy cycles."""


@dataclass(frozen=True)
class Slice:
    """A unit worked on an instruction from cycle ``first`` to cycle ``last``."""

    unit: str
    instruction: int
    first: int
    last: int


@dataclass(frozen=True)
class Share:
    """The cycles of one instruction: those in which a row was sent, and the others by cause."""

    busy: int
    stalls: dict[Cause, int]

    @property
    def cycles(self) -> int:
        return self.busy + sum(self.stalls.values())


@dataclass(frozen=True)
class Timeline:
    """A run of ``cycles`` cycles; ``shares`` has one entry for each instruction."""

    cycles: int
    slices: tuple[Slice, ...]
    shares: tuple[Share, ...]


def read_timeline(path: Path, instructions: int) -> Timeline:
    """Reads what ``engine_trace.sv`` wrote.

    Raises:
        ToolError: the file is not complete.
    """
    busy: Counter[int] = Counter()
    stalls = [Counter[Cause]() for _ in range(instructions)]
    slices, cycles = [], 0
    for line in path.read_text().splitlines():
        kind, *words = line.split()
        if kind == "slice":
            unit, index, first, last = words[0], *map(int, words[1:])
            slices.append(Slice(unit, index, first, last))
        elif kind == "share":
            index, _, _, sent, *waits = map(int, words)
            busy[index] += sent
            stalls[index].update(dict(zip(_CAUSES, waits, strict=True)))
        else:
            cycles = int(words[0])
    if not cycles:
        raise ToolError("The RTL simulation left an incomplete trace. Run it again.")
    # Behind the last instruction there is nothing to issue.
    last_one = stalls[instructions - 1]
    last_one[Cause.DRAIN] += last_one.pop(Cause.ISSUE, 0)
    shares = tuple(
        Share(busy[i], {cause: found[cause] for cause in Cause if found[cause]})
        for i, found in enumerate(stalls)
    )
    return Timeline(cycles, tuple(slices), shares)


def chrome_trace(timeline: Timeline, program: Program, clock_mhz: float) -> bytes:
    """``trace.json`` for Perfetto or chrome://tracing: a track a unit, a slice an instruction.

    Times are microseconds at ``clock_mhz``; the cycles are among each slice's arguments.
    """
    tracks = list(UNITS)
    events: list[dict] = [
        {"ph": "M", "pid": 0, "name": "process_name", "args": {"name": f"hwgen {program.name}"}}
    ]
    for track, name in enumerate(UNITS.values()):
        events.append(_about(track, "thread_name", {"name": name}))
        events.append(_about(track, "thread_sort_index", {"sort_index": track}))
    for part in timeline.slices:
        share = timeline.shares[part.instruction]
        details = {"instruction": part.instruction, "first": part.first, "last": part.last}
        if part.unit == "rows":
            waits = {str(cause): count for cause, count in share.stalls.items()}
            details |= {"busy": share.busy, "waiting": share.cycles - share.busy, **waits}
        events.append(
            {
                "ph": "X",
                "pid": 0,
                "tid": tracks.index(part.unit),
                "ts": round(part.first / clock_mhz, 4),
                "dur": round((part.last + 1 - part.first) / clock_mhz, 4),
                "name": program.labels[part.instruction],
                "cat": program.instructions[part.instruction].opcode.name,
                "args": details,
            }
        )
    return (json.dumps({"displayTimeUnit": "ns", "traceEvents": events}, indent=0) + "\n").encode()


def _about(track: int, name: str, arguments: dict) -> dict:
    return {"ph": "M", "pid": 0, "tid": track, "name": name, "args": arguments}
