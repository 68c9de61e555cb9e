# SPDX-License-Identifier: Apache-2.0
"""The process that simulates the engine: ``kernels_rtl/simulation/testbench.cpp`` as a board, whose
clock runs as long as the engine works.
"""

import contextlib
import os
import queue
import subprocess
import tempfile
import textwrap
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hwgen.errors import ToolError

ANSWER_TIMEOUT_S = 60.0
GRACE_S = 3.0
"""Seconds between the end of its input and killing it."""
_TAIL_BYTES = 2000


@dataclass(frozen=True)
class _Answer:
    """Lines of output; the last ones of all where the simulator has ended."""

    lines: tuple[str, ...] = ()
    ended: bool = False


class Simulator:
    """A simulator that runs until it is closed or this process ends. Any thread may use it."""

    def __init__(
        self, program: Path, memory: Path, base: int, on_interrupt: Callable[[bool], None]
    ) -> None:
        """Starts it, and waits until it has opened the memory.

        Args:
            program: the compiled simulator.
            memory: the file that is DDR.
            base: physical address of its first byte.
            on_interrupt: called by another thread with each change of the engine's interrupt. A
                simulator that dies raises it as well: so those who wait for it find out.

        Raises:
            ToolError: it cannot be started, or ended at once.
        """
        # Ctrl-C interrupts the main thread alone: an exchange that has begun is always finished.
        self._worker = ThreadPoolExecutor(1, "simulator")
        self._answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115, open as long as the process
        try:
            self._process = subprocess.Popen(
                [str(program), "-"],
                env={**os.environ, "DDR_SHARED": str(memory), "DDR_BASE": str(base)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._messages,
                text=True,
                # Interrupting the board's user (Ctrl-C) does not end the board.
                start_new_session=True,
            )
        except OSError as error:
            raise ToolError(
                f"The simulator cannot be started ({program}): {error.strerror}."
            ) from None
        assert self._process.stdin is not None and self._process.stdout is not None
        self._commands = self._process.stdin
        self._end = weakref.finalize(self, _end, self._process)
        threading.Thread(
            target=_listen,
            args=(self._process.stdout, self._answers, on_interrupt, self._end),
            daemon=True,
        ).start()
        self.command("mend")

    @property
    def process_id(self) -> int:
        """Of the simulator, as the operating system counts."""
        return self._process.pid

    def read(self, offset: int) -> int:
        """A control register, 32 bits.

        Raises:
            ToolError: the simulator has ended, or does not answer. So do all other methods.
        """
        return int(self.command(f"read {offset}")[0].split()[2])

    def write(self, offset: int, value: int) -> None:
        """Writes a control register, 32 bits."""
        self.command(f"write {offset} {value}")

    def command(self, line: str) -> tuple[str, ...]:
        """Sends any command of ``testbench.cpp``; returns the lines of its answer."""
        return self._worker.submit(self._exchange, line).result()

    def close(self) -> None:
        """Ends the simulator; more than once does no harm."""
        self._end()
        self._worker.submit(self._messages.close).result()

    def _exchange(self, line: str) -> tuple[str, ...]:
        if not self._end.alive:
            raise ToolError("The simulator has been closed. Make a new SimulatedDevice.")
        # One that has ended says so in place of an answer.
        with contextlib.suppress(BrokenPipeError):
            self._commands.write(f"{line}\n")
            self._commands.flush()
        try:
            answer = self._answers.get(timeout=ANSWER_TIMEOUT_S)
        except queue.Empty:
            self._process.kill()
            raise ToolError(
                f"The simulator did not answer '{line}' within {ANSWER_TIMEOUT_S:g} seconds "
                "and was ended. Make a new SimulatedDevice."
            ) from None
        if answer.ended:
            raise ToolError(self._obituary(answer.lines))
        return answer.lines

    def _obituary(self, lines: tuple[str, ...]) -> str:
        # What follows finds the same.
        self._answers.put(_Answer(lines, ended=True))
        code = self._process.wait()
        cause = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._messages.seek(-min(_TAIL_BYTES, self._messages.seek(0, os.SEEK_END)), os.SEEK_END)
        said = ("".join(lines) + self._messages.read().decode(errors="replace")).rstrip()
        return f"The simulator {cause}: this board is gone. Make a new SimulatedDevice." + (
            f"\nIts last words:\n{textwrap.indent(said, '  ')}" if said else ""
        )


def _listen(
    output: IO[str],
    answers: "queue.SimpleQueue[_Answer]",
    on_interrupt: Callable[[bool], None],
    end: "weakref.finalize[..., Simulator]",
) -> None:
    lines: list[str] = []
    with output:
        for line in output:
            if line.startswith("irq "):
                on_interrupt(line == "irq 1\n")
            elif line == "ok\n":
                answers.put(_Answer(tuple(lines)))
                lines = []
            else:
                lines.append(line)
    answers.put(_Answer(tuple(lines), ended=True))
    if end.alive:
        on_interrupt(True)


def _end(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
