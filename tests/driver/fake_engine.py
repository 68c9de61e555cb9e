# SPDX-License-Identifier: Apache-2.0
"""An engine without a simulator: registers, and runs that the reference interpreter computes.

It takes the place of ``hwgen.rehearsal.simulator.Simulator`` in a ``SimulatedDevice``, which so has
a processing system, an interrupt controller and DDR, and answers in milliseconds. It does nothing
with a program but compare it: what is not in DDR, flushed, is not run.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import hwgen.rehearsal.device
from hwgen.golden.interpreter import Interpreter
from hwgen.program.engine import PROGRAM_VERSION
from hwgen.program.memory import stripe, unstripe
from hwgen.program.program import Program
from hwgen.program.registers import CONTROL, COUNTERS, STALLS, register_map
from hwgen.program.status import ErrorCode
from hwgen.rehearsal import SimulatedDevice

START, DONE, IDLE, READY = 1, 2, 4, 8
CTRL, GIER, IER, ISR = (register.offset for register in CONTROL)
CYCLES = 1000


class FakeEngine:
    """An engine and DDR for one program.

    Attributes:
        run_s: seconds that a run takes.
        error: that runs end with.
        hangs: runs never end.
        writes: numbers of the output that a run writes; all where None.
        digest: what the engine says of itself.
        starts: runs since it was made.
        resets: bitstreams loaded.
        control_reads: of CTRL.
        base: address of DDR's first byte.
        running: a run is under way.
    """

    def __init__(
        self, program: Path, memory: Path, base: int, on_interrupt: Callable[[bool], None]
    ) -> None:
        self.run_s = 0.002
        self.error = ErrorCode.NONE
        self.hangs = False
        self.writes: int | None = None
        self.starts = self.resets = 0
        self.control_reads = 0
        self.process_id = 0
        self._ddr = np.memmap(memory, np.uint8, mode="r+")
        self.base, self._on_interrupt = base, on_interrupt
        self._lock = threading.RLock()
        self._run = 0

    def holds(self, program: Program, counters: bool) -> None:
        """Sets the program that it knows, and whether it has counters."""
        self.program, self.digest = program, program.engine.digest
        self._counters = counters
        self._map = {r.name: r.offset for r in register_map(program.engine, counters)}
        self._reset()

    @property
    def running(self) -> bool:
        return not self._words[CTRL] & IDLE

    def read(self, offset: int) -> int:
        with self._lock:
            if not self._counters:
                # Vitis HLS decodes no more address bits than it needs.
                offset &= 0xFF
            if offset in self._identity():
                return self._identity()[offset]
            value = self._words.get(offset, 0)
            if offset == CTRL:
                self.control_reads += 1
                self._words[CTRL] &= ~(DONE | READY)
            return value

    def write(self, offset: int, value: int) -> None:
        with self._lock:
            if offset == CTRL:
                if value & START and not self.running:
                    self._start()
            elif offset == ISR:
                self._words[ISR] ^= value
            else:
                self._words[offset] = value
            self._interrupt()

    def command(self, line: str) -> list[str]:
        assert line in ("reset", "mend"), line
        if line == "reset":
            with self._lock:
                self.resets += 1
                self._reset()
        return []

    def close(self) -> None:
        with self._lock:
            self._run += 1

    def _reset(self) -> None:
        self._run += 1
        self._words = {CTRL: IDLE, GIER: 0, IER: 0, ISR: 0}
        self._interrupt()

    def _identity(self) -> dict[int, int]:
        if not self._counters:
            return {}
        found = {"version": PROGRAM_VERSION, "digest": self.digest}
        return {r.offset: found[r.name] for r in COUNTERS if r.name in found}

    def _start(self) -> None:
        self.starts += 1
        self._run += 1
        self._words[CTRL] = START
        timer = threading.Timer(self.run_s, self._finish, (self._run, dict(self._words)))
        timer.daemon = True
        timer.start()

    def _finish(self, run: int, words: dict[int, int]) -> None:
        if self.hangs:
            return
        code = self.error or self._compute(words)
        with self._lock:
            if run != self._run:
                return
            self._words[self._map["error_code"]] = int(code)
            if self._counters:
                self._words[self._map["cycles"]] = CYCLES
                for weight, stall in enumerate(STALLS):
                    self._words[stall.offset] = weight
            self._words[CTRL] = DONE | IDLE | READY
            self._words[ISR] |= self._words[IER] & 1
            self._interrupt()

    def _interrupt(self) -> None:
        self._on_interrupt(bool(self._words[GIER] & 1 and self._words[ISR] & self._words[IER]))

    def _argument(self, words: dict[int, int], name: str) -> int:
        offset = self._map[name]
        return words.get(offset, 0) | words.get(offset + 4, 0) << 32

    def _region(self, address: int, size: int) -> np.ndarray:
        return self._ddr[address - self.base :][:size]

    def _compute(self, words: dict[int, int]) -> ErrorCode:
        """Runs the program that lies in DDR, if it is the one known."""
        program = self.program
        lanes = program.engine.lanes
        for name, data in (
            ("program", program.image.astype("<u4").view(np.uint8).reshape(-1)),
            ("weights", stripe(program.weights)),
        ):
            if not np.array_equal(self._region(self._argument(words, name), data.size), data):
                return ErrorCode.BAD_HEADER
        beats = program.input.beats(lanes)
        size = stripe(np.zeros((beats, lanes), np.uint8)).size
        region = self._region(self._argument(words, "input"), size)
        output = Interpreter(program).run(unstripe(region, lanes)[None, :beats])[0]
        data = output.astype("<i2").reshape(-1)[: self.writes].view(np.uint8)
        self._region(self._argument(words, "output"), data.size)[:] = data
        return ErrorCode.NONE


@contextmanager
def fake_device(
    program: Program, *, counters: bool = True, name: str = "Ultra96", base: int | None = None
) -> Iterator[tuple[SimulatedDevice, FakeEngine]]:
    """A device whose bitstreams all hold an engine for ``program``, with DDR from address ``base``
    on.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hwgen.rehearsal.device, "Simulator", FakeEngine)
        device = SimulatedDevice(Path("none"), name=name)
    engine = device._simulator
    engine.holds(program, counters)
    if base is not None:
        device._memory.base_address = engine.base = base
    with device:
        yield device, engine
