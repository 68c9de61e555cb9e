# SPDX-License-Identifier: Apache-2.0
"""What the RTL wrote about a run is read, and drawn for Perfetto."""

import json
from collections import Counter
from pathlib import Path

import pytest

from hwgen.errors import ToolError
from hwgen.estimate.result import Cause
from hwgen.program.program import Program
from hwgen.sim.timeline import UNITS, Share, Slice, Timeline, chrome_trace, read_timeline

EVENTS = """\
share 0 0 9 0 10 0 0 0 0 0 0 0
slice decode 0 3 3
share 1 10 29 15 0 1 4 0 0 0 0 0
slice weights 1 8 20
share 2 30 34 5 0 0 0 0 0 0 0 0
share 1 35 36 2 0 0 0 0 0 0 0 0
slice rows 1 14 29
slice rows 2 30 34
slice rows 1 35 36
share 3 37 41 0 0 3 0 0 1 0 0 1
slice output 2 33 40
done 42
"""


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events"
    path.write_text(EVENTS)
    return path


def test_every_cycle_is_attributed_once(events: Path) -> None:
    timeline = read_timeline(events, 4)
    assert timeline.cycles == 42
    assert sum(share.cycles for share in timeline.shares) == 42
    assert [share.cycles for share in timeline.shares] == [10, 22, 5, 5]
    assert timeline.shares[0] == Share(0, {Cause.STARTUP: 10})
    # The shares of an instruction that was interrupted are one.
    assert timeline.shares[1] == Share(17, {Cause.ISSUE: 1, Cause.MEMORY: 4})
    # Behind the last instruction nothing is left to issue.
    assert timeline.shares[3] == Share(0, {Cause.PIPELINE: 1, Cause.DRAIN: 4})
    assert timeline.slices[0] == Slice("decode", 0, 3, 3)
    assert Counter(part.unit for part in timeline.slices) == {
        "decode": 1, "weights": 1, "rows": 3, "output": 1,
    }  # fmt: skip


@pytest.mark.parametrize("kept", [0, 5, 11])
def test_a_trace_cut_short_is_refused(events: Path, kept: int) -> None:
    events.write_text("".join(EVENTS.splitlines(keepends=True)[:kept]))
    with pytest.raises(ToolError, match=r"left an incomplete trace\. Run it again\."):
        read_timeline(events, 4)


def test_perfetto_gets_a_track_a_unit_and_a_slice_an_instruction(program: Program) -> None:
    # Every unit works ten cycles on each instruction, one unit after the other.
    order = [(index, unit) for index in range(len(program.instructions)) for unit in UNITS]
    slices = tuple(
        Slice(unit, index, 10 * place, 10 * place + 9) for place, (index, unit) in enumerate(order)
    )
    shares = (Share(7, {Cause.MEMORY: 3}),) * len(program.instructions)
    content = chrome_trace(Timeline(10 * len(order), slices, shares), program, 200.0)
    events = json.loads(content)["traceEvents"]
    tracks = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert list(tracks.values()) == list(UNITS.values())
    drawn = [event for event in events if event["ph"] == "X"]
    assert Counter(event["tid"] for event in drawn) == dict.fromkeys(
        tracks, len(program.instructions)
    )
    for event, (index, unit) in zip(drawn, order, strict=True):
        assert tracks[event["tid"]] == UNITS[unit]
        assert event["name"] == program.labels[index]
        assert event["cat"] == program.instructions[index].opcode.name
        assert event["dur"] == 10 / 200  # microseconds
        assert event["ts"] == pytest.approx(event["args"]["first"] / 200)
        assert ("memory" in event["args"]) == (unit == "rows")
    assert content == chrome_trace(Timeline(10 * len(order), slices, shares), program, 200.0)
