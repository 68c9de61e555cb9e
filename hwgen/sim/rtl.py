# SPDX-License-Identifier: Apache-2.0
"""RTL simulation: the compiled engine and memory, driven through the engine's registers."""

import os
import re
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgen.errors import DataError, ToolError
from hwgen.estimate.cycles import estimate_cycles
from hwgen.program.program import Program
from hwgen.program.registers import register_map
from hwgen.sim.memory_image import memory_image
from hwgen.sim.process import last_lines, run_process
from hwgen.sim.timeline import Timeline, read_timeline

Progress = Callable[[int, int], None]
"""Called with the number of cycles simulated and the number expected in all."""

RUN_TIMEOUT_S = 6 * 3600.0

_DONE, _TIMEOUT = 0, 3
"""Exit codes of the test bench."""


@dataclass(frozen=True)
class Memory:
    """The memory behind the engine's ports, see ``kernels_rtl/simulation/ddr_model.sv``.

    Attributes:
        bytes_per_cycle: all ports together; 12.8 GB/s at 300 MHz by default.
        latency: cycles from a read's address to its first word, at the earliest.
        outstanding: bursts under way on a port, 64 at most.
    """

    bytes_per_cycle: float = 12.8e9 / 300e6
    latency: int = 60
    outstanding: int = 16

    @property
    def arguments(self) -> tuple[str, ...]:
        """Of the simulator's command line."""
        return (
            f"+latency={self.latency}",
            f"+outstanding={self.outstanding}",
            f"+millibytes={round(self.bytes_per_cycle * 1000)}",
        )

    def __str__(self) -> str:
        return (
            f"{self.bytes_per_cycle:.3f} bytes a cycle, latency {self.latency} cycles, "
            f"{self.outstanding} bursts a port"
        )


DEFAULT_MEMORY = Memory()


@dataclass(frozen=True, eq=False)
class RtlResult:
    """What the engine did in each run.

    Attributes:
        outputs: int16 (runs, vectors, lanes).
        errors: the error code of each run.
        cycles: from start to done, by the engine's own counter.
        words: of 16 bytes, that the memory moved in each run.
        timeline: of the first run.
    """

    outputs: np.ndarray
    errors: tuple[int, ...]
    cycles: tuple[int, ...]
    words: tuple[int, ...]
    timeline: Timeline


def run_rtl(
    simulator: Path,
    program: Program,
    beats: np.ndarray,
    *,
    memory: Memory = DEFAULT_MEMORY,
    progress: Progress | None = None,
    waves: Path | None = None,
    processes: int | None = None,
) -> RtlResult:
    """Runs the engine on images, with as many simulators at once as there are processors.

    Args:
        simulator: from ``compile_rtl``.
        beats: uint8 (runs, beats, lanes), from ``InputLayout.pack``.
        memory: behind the engine's ports; one simulator serves every memory.
        waves: file for the signals of the first simulator's runs (FST).

    Raises:
        ToolError: a simulator failed, or the engine hung.
        DataError: no image.
    """
    if not len(beats):
        raise DataError("RTL simulation needs at least one image; none was given.")
    count = min(processes or os.cpu_count() or 1, len(beats))
    expected = estimate_cycles(program).total
    cycles = [0] * count
    lock = threading.Lock()

    def advance(index: int, done: int) -> None:
        with lock:
            cycles[index] = done
            if progress is not None:
                progress(min(sum(cycles), expected * len(beats)), expected * len(beats))

    def part(index: int, chosen: np.ndarray) -> _Part:
        with tempfile.TemporaryDirectory(prefix="hwgen-rtl-") as folder:
            simulation = _Simulation(simulator, program, chosen, Path(folder), expected, memory)
            return simulation.run(lambda done: advance(index, done), waves if index == 0 else None)

    with ThreadPoolExecutor(count) as pool:
        parts = list(pool.map(part, range(count), np.array_split(beats, count)))
    first = parts[0].timeline
    assert first is not None
    return RtlResult(
        outputs=np.concatenate([p.outputs for p in parts]),
        errors=tuple(code for p in parts for code in p.errors),
        cycles=tuple(n for p in parts for n in p.cycles),
        words=tuple(n for p in parts for n in p.words),
        timeline=first,
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """What one simulator did."""

    outputs: np.ndarray
    errors: list[int]
    cycles: list[int]
    words: list[int]
    timeline: Timeline | None


class _Simulation:
    """One simulator, its memory image and its commands."""

    def __init__(
        self,
        simulator: Path,
        program: Program,
        beats: np.ndarray,
        folder: Path,
        expected: int,
        memory: Memory,
    ) -> None:
        self._simulator = simulator
        self._program = program
        self._folder = folder
        self._runs = len(beats)
        self._memory = memory
        self._limit = 10 * expected + (1 << 22)
        self._registers = {r.name: r.offset for r in register_map(program.engine)}
        self._image = memory_image(program, beats)
        (folder / "image").write_bytes(self._image.data)
        (folder / "commands").write_text("".join(f"{line}\n" for line in self._commands()))

    def _commands(self) -> list[str]:
        at = self._registers
        lines = [f"write {at['GIER']} 1", f"write {at['IP_IER']} 1"]
        for run in range(self._runs):
            for name, value in self._image.arguments(run).items():
                lines.append(f"write {at[name]} {value & 0xFFFFFFFF}")
                lines.append(f"write {at[name] + 4} {value >> 32}")
            lines += [f"write {at['CTRL']} 1", f"wait {self._limit}", f"write {at['IP_ISR']} 1"]
            lines += [f"read {at['CTRL']}", f"read {at['error_code']}"]
            lines += [f"read {at['cycles']}", f"read {at['cycles'] + 4}"]
        return lines

    def run(self, advance: Callable[[int], None], waves: Path | None) -> _Part:
        answers: list[list[int]] = []
        before = 0

        def on_line(line: str) -> None:
            nonlocal before
            found = re.fullmatch(r"(cycle|waited|read) (\d+)(?: (\d+))?", line)
            if not found:
                return
            first, second = int(found[2]), int(found[3] or 0)
            if found[1] == "read":
                answers[-1].append(second)
            elif found[1] == "waited":
                answers.append([second])
                before += first
                advance(before)
            else:
                advance(before + first)

        dump, events = self._folder / "dump", self._folder / "events"
        finished = run_process(
            [
                self._simulator, self._folder / "commands", f"+events={events}",
                *self._memory.arguments,
                *([f"+waves={waves}"] if waves else []),
            ],
            what="RTL simulation",
            timeout_s=RUN_TIMEOUT_S,
            environment={"DDR_IMAGE": str(self._folder / "image"), "DDR_DUMP": str(dump)},
            on_line=on_line,
        )  # fmt: skip
        if finished.code == _TIMEOUT:
            raise ToolError(
                f"The engine did not end run {len(answers)} within {self._limit} cycles."
                f"{last_lines(finished.tail)}"
            )
        if finished.code != _DONE or len(answers) != self._runs:
            raise ToolError(
                f"RTL simulation ended with exit code {finished.code} after {len(answers)} of "
                f"{self._runs} runs.{last_lines(finished.tail)}"
            )
        memory = np.memmap(dump, np.uint8, mode="r")
        outputs = [self._image.output(memory, run) for run in range(self._runs)]
        timeline = None
        if events.is_file():
            timeline = read_timeline(events, len(self._program.instructions))
        return _Part(
            outputs=np.stack(outputs),
            errors=[answer[2] for answer in answers],
            cycles=[answer[3] | answer[4] << 32 for answer in answers],
            words=[answer[0] for answer in answers],
            timeline=timeline,
        )
