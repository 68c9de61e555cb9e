# SPDX-License-Identifier: Apache-2.0
import pytest

import hwgen
from hwgen.report.limits import with_limits
from hwgen.report.schema import (
    MeasuredInstruction,
    Report,
    RtlResult,
    TimelineSlice,
    Verification,
)


@pytest.fixture(scope="session")
def report() -> Report:
    """The report of a network as it is built, before anything was measured."""
    return hwgen.build("preset:fashion-vit").summary


@pytest.fixture(scope="session")
def measured(report: Report) -> Report:
    """The same after an RTL simulation in which each instruction waited ten cycles longer."""
    instructions, slices, now = [], [], 0
    for item in report.instructions:
        cycles = item.cycles + 10
        stalls = item.stalls | {"pipeline": item.stalls.get("pipeline", 0) + 10}
        instructions.append(MeasuredInstruction(cycles=cycles, stalls=stalls))
        for unit in ("decode", "rows"):
            last = now + cycles - 1
            slices.append(TimelineSlice(unit=unit, instruction=item.index, first=now, last=last))
        now += cycles
    stalls = {
        cause: sum(i.stalls.get(cause, 0) for i in instructions)
        for cause in sorted({cause for i in instructions for cause in i.stalls})
    }
    rtl = RtlResult(
        images=2,
        array="twin",
        memory="42 bytes a cycle",
        cycles=now,
        slowest=now,
        bytes_moved=912_345,
        utilisation=report.macs / (now * report.lanes**2),
        fps={str(clock): clock * 1e6 / now for clock in (150, 200, 300)},
        busy=now - sum(stalls.values()),
        stalls=stalls,
        instructions=tuple(instructions),
        timeline=tuple(slices),
    )
    update = {
        "cycles": report.cycles.model_copy(update={"measured": now}),
        "verification": Verification(rtl=rtl),
    }
    return with_limits(report.model_copy(update=update))
