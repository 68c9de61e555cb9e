# SPDX-License-Identifier: Apache-2.0
"""The simulator as a board: registers, a clock of its own, shared memory, faults, and its end."""

import os
import queue
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hwgen.emit.rtl import FOLDER, rtl_project
from hwgen.errors import ToolError
from hwgen.golden.interpreter import Interpreter
from hwgen.program.registers import register_map
from hwgen.program.status import ErrorCode
from hwgen.rehearsal.simulator import Simulator
from hwgen.sim import rtl_build
from hwgen.sim.memory_image import MemoryImage, memory_image
from hwgen.sim.rtl_build import Options, compile_rtl
from tests.conftest import small_images, small_program

BASE = 0x4000_0000
"""Where the memory begins; the image counts from zero."""
START, DONE, IDLE = 1, 2, 4


class Engine:
    """The small Program and its images in the memory of a simulator."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program = small_program()
        beats = small_images(2, self.program)
        self.expected = Interpreter(self.program).run_all(beats)
        self.image: MemoryImage = memory_image(self.program, beats)
        self.file = folder / "memory"
        self.file.write_bytes(self.image.data)
        self.memory = np.memmap(self.file, np.uint8, mode="r+")
        self.levels: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.at = {register.name: register.offset for register in register_map(self.program.engine)}
        self.simulator = Simulator(program, self.file, BASE, self.levels.put)

    def start(self, run: int = 0) -> None:
        """Starts a run that raises the interrupt at its end."""
        for name, value in self.image.arguments(run).items():
            absolute = value + BASE if name.startswith(("gmem", "output")) else value
            self.simulator.write(self.at[name], absolute & 0xFFFFFFFF)
            self.simulator.write(self.at[name] + 4, absolute >> 32)
        self.simulator.write(self.at["GIER"], 1)
        self.simulator.write(self.at["IP_IER"], 1)
        self.simulator.write(self.at["CTRL"], START)

    def finish(self) -> ErrorCode:
        """Waits for the interrupt, acknowledges it and returns the error code."""
        assert self.levels.get(timeout=60) is True
        assert self.simulator.read(self.at["CTRL"]) & (DONE | IDLE) == DONE | IDLE
        self.simulator.write(self.at["IP_ISR"], 1)
        assert self.levels.get(timeout=60) is False
        return ErrorCode(self.simulator.read(self.at["error_code"]))

    def check(self, run: int = 0) -> None:
        """A run gives what the interpreter gives."""
        self.start(run)
        assert self.finish() == ErrorCode.NONE
        np.testing.assert_array_equal(self.image.output(self.memory, run), self.expected[run])


@pytest.fixture(scope="module")
def compiled() -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rtl_build, "_OPTIMISE", "-O0")  # compiled quickly
        files = rtl_project(small_program().engine)
        return compile_rtl(
            {name.removeprefix(f"{FOLDER}/"): data for name, data in files.items()},
            Options(twin=True),
        )


@pytest.fixture
def engine(compiled: Path, tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(compiled, tmp_path)
    yield engine
    engine.simulator.close()


def region(engine: Engine, name: str) -> tuple[int, int]:
    """First and last address of a part of memory, to the page."""
    first = engine.image.places[name] + BASE
    return first, first + 4095


def test_runs_one_after_the_other(engine: Engine) -> None:
    assert engine.simulator.read(engine.at["digest"]) == engine.program.engine.digest
    for run in (0, 1, 0):
        engine.image.output(engine.memory, run)[:] = 0
        engine.check(run)
    assert engine.levels.empty()


def test_the_clock_runs_while_nobody_asks_and_stands_still_after_that(engine: Engine) -> None:
    def used() -> int:
        """Processor time of the simulator, in ticks."""
        words = Path(f"/proc/{engine.simulator.process_id}/stat").read_text().split()
        return int(words[13]) + int(words[14])

    engine.start()
    assert engine.levels.get(timeout=60) is True
    time.sleep(0.1)  # of settling
    before = used()
    time.sleep(0.5)
    assert used() - before <= 1
    cycles = engine.simulator.read(engine.at["cycles"])
    assert cycles == engine.simulator.read(engine.at["cycles"]) > 1000


@pytest.mark.parametrize("part", ["program", "weights", "input0", "output0"])
def test_memory_answers_with_errors_where_it_is_told_to(engine: Engine, part: str) -> None:
    first, last = region(engine, part)
    engine.simulator.command(f"fail {first} {last}")
    engine.start()
    assert engine.finish() == ErrorCode.MEMORY
    engine.simulator.command("mend")
    engine.check()


def test_one_byte_that_fails_is_enough_and_its_neighbours_do_not(engine: Engine) -> None:
    first, _ = region(engine, "program")
    engine.simulator.command(f"fail {first - 1} {first - 1}")
    engine.check()
    engine.simulator.command(f"fail {first + 15} {first + 15}")
    engine.start()
    assert engine.finish() == ErrorCode.MEMORY


@pytest.mark.parametrize("place", ["below", "zero", "behind", "partly behind"])
def test_beyond_the_memory(engine: Engine, place: str) -> None:
    end = BASE + engine.memory.size // 16 * 16
    at = {"below": BASE - 16, "zero": 0, "behind": end, "partly behind": end - 16}[place]
    engine.check()
    engine.simulator.write(engine.at["gmem0"], at)
    engine.simulator.write(engine.at["program"], 0)
    engine.simulator.write(engine.at["CTRL"], START)
    assert engine.finish() == ErrorCode.MEMORY


def test_frozen_memory_goes_on_where_it_stopped(engine: Engine) -> None:
    engine.simulator.command("freeze 1")
    engine.start()
    control, cycles = engine.at["CTRL"], engine.at["cycles"]
    before = engine.simulator.read(cycles)
    while engine.simulator.read(cycles) < before + 10000:
        assert not engine.simulator.read(control) & (DONE | IDLE)
    assert engine.levels.empty()
    engine.simulator.command("freeze 0")
    assert engine.finish() == ErrorCode.NONE
    np.testing.assert_array_equal(engine.image.output(engine.memory, 0), engine.expected[0])


def test_a_run_that_is_frozen_midway(engine: Engine) -> None:
    for _ in range(5):
        engine.image.output(engine.memory, 0)[:] = 0
        engine.start()
        for _ in range(3):
            engine.simulator.command("freeze 1")
            engine.simulator.command("freeze 0")
        assert engine.finish() == ErrorCode.NONE
        np.testing.assert_array_equal(engine.image.output(engine.memory, 0), engine.expected[0])


@pytest.mark.parametrize(
    ("bit", "code"),
    [
        (0, ErrorCode.BAD_HEADER),  # the magic number of the header
        (63, ErrorCode.BAD_HEADER),  # the version
        (64, ErrorCode.WRONG_ENGINE),
        (127, ErrorCode.OUT_OF_RANGE),  # the number of instructions
    ],
)
def test_bits_of_a_port_are_flipped(engine: Engine, bit: int, code: ErrorCode) -> None:
    engine.simulator.command(f"corrupt 0 {1 << bit >> 64} {(1 << bit) % (1 << 64)}")
    engine.start()
    assert engine.finish() == code
    engine.simulator.command("mend")
    engine.check()
    engine.simulator.command(f"corrupt 1 {1 << bit >> 64} {(1 << bit) % (1 << 64)}")
    engine.check()


def test_reset_ends_a_run_and_clears_registers(engine: Engine) -> None:
    engine.simulator.command("freeze 1")
    engine.start()
    engine.simulator.command("reset")
    assert engine.simulator.read(engine.at["CTRL"]) == IDLE
    for name in ("GIER", "gmem0", "output"):
        assert engine.simulator.read(engine.at[name]) == 0
    engine.simulator.command("mend")
    engine.check()


def test_the_interrupt_falls_with_a_reset(engine: Engine) -> None:
    engine.start()
    assert engine.levels.get(timeout=60) is True
    engine.simulator.command("reset")
    assert engine.levels.get(timeout=60) is False


def test_it_ends_with_its_input(engine: Engine) -> None:
    process = engine.simulator.process_id
    engine.start()
    engine.simulator.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    with pytest.raises(ToolError, match=r"^The simulator has been closed\. Make a new Simulated"):
        engine.simulator.read(0)
    engine.simulator.close()


def test_a_killed_simulator_is_named_and_wakes_who_waits(engine: Engine) -> None:
    engine.simulator.command("freeze 1")
    engine.start()
    os.kill(engine.simulator.process_id, signal.SIGKILL)
    assert engine.levels.get(timeout=60) is True
    for _ in range(2):
        with pytest.raises(
            ToolError,
            match=r"^The simulator was killed by signal 9: this board is gone\. Make a new Sim",
        ):
            engine.simulator.read(0)


def test_what_it_cannot_do_ends_it(engine: Engine) -> None:
    with pytest.raises(
        ToolError,
        match=r"^The simulator ended with exit code 2: .*\nIts last words:\n"
        r"  testbench: not a command: write 0$",
    ):
        engine.simulator.command("write 0")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, r"^The simulator cannot be started \(.*/simulator\): No such file or directory\.$"),
        ("exit 1", r"^The simulator ended with exit code 1: this board is gone\. Make a new Sim"),
        ("echo no memory >&2; exit 3", r"exit code 3: .*\nIts last words:\n  no memory$"),
    ],
)
def test_a_simulator_that_does_not_start(tmp_path: Path, script: str | None, message: str) -> None:
    program = tmp_path / "simulator"
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    with pytest.raises(ToolError, match=message):
        Simulator(program, tmp_path / "memory", BASE, print)


def test_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "simulator"
    program.write_text("#!/bin/sh\nread line; echo ok; read line; sleep 60\n")
    program.chmod(0o755)
    simulator = Simulator(program, tmp_path / "memory", BASE, lambda level: None)
    monkeypatch.setattr("hwgen.rehearsal.simulator.ANSWER_TIMEOUT_S", 0.2)
    with pytest.raises(ToolError, match=r"did not answer 'read 8' within 0\.2 seconds and was end"):
        simulator.read(8)
    simulator.close()


def test_commands_of_a_file(engine: Engine, compiled: Path, tmp_path: Path) -> None:
    """The same commands without a board: nothing but answers is printed."""
    commands = tmp_path / "commands"
    commands.write_text(f"write {engine.at['gmem0']} 0x123\nreset\nread {engine.at['gmem0']}\nmend")
    answer = subprocess.run([compiled, commands], capture_output=True, text=True, check=True)
    assert answer.stdout == f"read {engine.at['gmem0']} 0\n"
    commands.write_text("read 0x10z\n")
    refused = subprocess.run([compiled, commands], capture_output=True, text=True)
    assert (refused.returncode, refused.stderr) == (2, "testbench: not a command: read 0x10z\n")


def test_a_shared_file_that_is_not_there(compiled: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"the memory's file cannot be read"):
        Simulator(compiled, tmp_path / "none", BASE, lambda level: None)
