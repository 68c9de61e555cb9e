# SPDX-License-Identifier: Apache-2.0
"""Runs an external program: its output line by line, a time limit, and no process left behind."""

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hwgen.errors import ToolError

GRACE_S = 3.0
"""Seconds between asking a program to end and killing it."""
TAIL_LINES = 20
TAIL_COLUMNS = 500
"""Of a line among the last ones: programs print whole files without a line break."""


@dataclass(frozen=True)
class Finished:
    """A program that ended: its exit code (negative: a signal) and its last lines of output."""

    code: int
    tail: tuple[str, ...]


def run_process(
    command: Sequence[str | Path],
    *,
    what: str,
    timeout_s: float,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Finished:
    """Runs ``command`` to its end; standard output and error are read as one. What it leaves
    running is ended with it.

    Args:
        what: names the program in messages, such as ``The C++ compiler``.
        environment: variables beside those of this process.
        on_line: called with each line of output.

    Raises:
        ToolError: it cannot be started, or ran longer than ``timeout_s`` seconds.
    """
    words = [str(word) for word in command]
    try:
        process = subprocess.Popen(
            words,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A group of its own: compilers that it started are ended with it.
            start_new_session=True,
        )
    except OSError as error:
        raise ToolError(f"{what} cannot be started ({words[0]}): {error.strerror}.") from None
    late = threading.Event()

    def expire() -> None:
        late.set()
        stop(process)

    timer = threading.Timer(timeout_s, expire)
    timer.daemon = True
    timer.start()
    # A child that it left would keep its output open.
    threading.Thread(target=_end_group, args=(process.pid,), daemon=True).start()
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    assert process.stdout is not None
    try:
        with process.stdout as lines:
            for line in lines:
                tail.append(line.rstrip()[:TAIL_COLUMNS])
                if on_line is not None:
                    on_line(line.rstrip())
        process.wait()
    finally:
        timer.cancel()
        stop(process)
    if late.is_set():
        raise ToolError(
            f"{what} was stopped after {timeout_s:g} seconds.{last_lines(tail)}\n"
            "Give it more time, or fewer images."
        )
    return Finished(process.returncode, tuple(tail))


def stop(process: subprocess.Popen[str]) -> None:
    """Ends a program that still runs: politely, then after ``GRACE_S`` seconds by force."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_group(leader: int) -> None:
    """Waits for a process and kills what is left of its group."""
    try:
        # Not reaped here: until it is, no other group can get its number.
        os.waitid(os.P_PID, leader, os.WEXITED | os.WNOWAIT)
        os.killpg(leader, signal.SIGKILL)
    except (ChildProcessError, ProcessLookupError):
        pass  # reaped meanwhile, and nothing is left


def last_lines(lines: Sequence[str] | deque[str]) -> str:
    """The end of a program's output, as the end of a message."""
    return "\nIts last lines:\n  " + "\n  ".join(lines) if lines else " It printed nothing."
