# SPDX-License-Identifier: Apache-2.0
"""Bench of whole networks on any engine: ``hwgen_testbench`` driven as a driver on the board would.

The runs come from a pickle named by ``HWGEN_BENCH_RUNS``, a list of ``Run``;
``HWGEN_BENCH_COUNTERS`` is 1 where the engine has the registers from 0x100. Memory is the model's,
inside the test bench; who starts this bench looks at what is left in it.
"""

import os
import pickle
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, First, RisingEdge, Timer, with_timeout
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from hwgen.program.engine import PROGRAM_VERSION, EngineConfig
from hwgen.program.registers import CONTROL, COUNTERS, registers
from hwgen.program.status import ErrorCode
from sim.axi import hush

START, DONE, IDLE = 1, 2, 4
PERIOD = 2
"""Simulation steps of a clock cycle."""
LIMIT = 5_000_000
"""Cycles of a run, more than any network of the tests takes."""
EARLY = 2000
"""Cycles that no run ends within."""
PATIENCE = 1000
"""Cycles of a register access."""
POLL = 500
"""Cycles between two looks at the control register."""


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        arguments: values of the argument registers, by name.
        code: the error code to expect.
        poll: without the interrupt.
    """

    engine: EngineConfig
    arguments: dict[str, int]
    code: ErrorCode
    poll: bool


async def answered(access: Awaitable[Any]) -> Any:
    """What a register access gives, which takes no more than some cycles."""
    return await with_timeout(access, PATIENCE * PERIOD, "step")


class Driver:
    """The control port and the interrupt."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        bus = AxiLiteBus.from_prefix(dut, "s_axi_control")
        self.bus = AxiLiteMaster(bus, dut.ap_clk, dut.ap_rst_n, reset_active_level=False)
        hush(self.bus.write_if, self.bus.read_if)
        self.offsets = {item.name: item.offset for item in (*CONTROL, *COUNTERS)}

    async def read(self, name: str) -> int:
        return await answered(self.bus.read_dword(self.offsets[name]))

    async def write(self, name: str, value: int) -> None:
        await answered(self.bus.write_dword(self.offsets[name], value))

    async def reset(self) -> None:
        for level in (0, 1):
            self.dut.ap_rst_n.value = level
            await ClockCycles(self.dut.ap_clk, 200)

    async def start(self, run: Run) -> None:
        offsets = {item.name: item.offset for item in registers(run.engine)}
        for name, value in run.arguments.items():
            await answered(self.bus.write_qword(offsets[name], value))
        await self.write("GIER", 1)
        await self.write("IP_IER", not run.poll)
        assert await self.read("CTRL") & (START | DONE | IDLE) == IDLE
        await self.write("CTRL", START)

    async def run(self, run: Run) -> None:
        """One run from its arguments to its error code."""
        before = get_sim_time("step")
        await self.start(run)
        await (self.poll() if run.poll else self.interrupt())
        took = (get_sim_time("step") - before) // PERIOD
        offsets = {item.name: item.offset for item in registers(run.engine)}
        code = ErrorCode(await answered(self.bus.read_dword(offsets["error_code"])))
        assert code == run.code, f"the run ended with {code.name}, expected {run.code.name}"
        valid = await answered(self.bus.read_dword(offsets["error_code_ctrl"]))
        assert valid & 1, "no valid flag"
        self.dut._log.info("%d cycles, error code %d", took, run.code)
        if os.environ["HWGEN_BENCH_COUNTERS"] == "1":
            await self.check_counters(run, took)

    async def interrupt(self) -> None:
        """Waits for the interrupt and clears it. Polling then agrees, once."""
        start = RisingEdge(self.dut.irq)
        assert await First(start, Timer(LIMIT * PERIOD, "step")) is start, "no interrupt"
        assert await self.read("IP_ISR") == 1
        assert await self.read("CTRL") & (START | DONE | IDLE) == DONE | IDLE
        assert await self.read("CTRL") & (START | DONE | IDLE) == IDLE
        assert self.dut.irq.value == 1
        await self.write("IP_ISR", 1)
        await ClockCycles(self.dut.ap_clk, 4)
        assert self.dut.irq.value == 0
        assert await self.read("IP_ISR") == 0

    async def poll(self) -> None:
        """Waits for done; no interrupt comes, since none is enabled."""
        for _ in range(LIMIT // POLL):
            if await self.read("CTRL") & DONE:
                break
            await Timer(POLL * PERIOD, "step")
        else:
            raise AssertionError("the engine hangs")
        assert await self.read("CTRL") & DONE == 0
        assert self.dut.irq.value == 0

    async def check_counters(self, run: Run, took: int) -> None:
        assert await self.read("version") == PROGRAM_VERSION
        assert await self.read("digest") == run.engine.digest
        cycles = await answered(self.bus.read_qword(self.offsets["cycles"]))
        assert 0 < cycles < took, (cycles, took)


@cocotb.test()
async def runs_one_after_the_other(dut: Any) -> None:
    runs = pickle.loads(Path(os.environ["HWGEN_BENCH_RUNS"]).read_bytes())
    Clock(dut.ap_clk, PERIOD, "step", impl="gpi").start()
    driver = Driver(dut)
    await driver.reset()
    # A reset in mid-run leaves nothing behind.
    await driver.start(runs[0])
    await ClockCycles(dut.ap_clk, EARLY)
    await driver.reset()
    for run in runs:
        await driver.run(run)
