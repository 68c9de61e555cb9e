# SPDX-License-Identifier: Apache-2.0
"""Waits for the end of a run: by interrupt where there is one, else by looking again and again."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Literal, get_args

from hwgen.driver.engine import HwgenEngine
from hwgen.driver.errors import (
    DriverError,
    InterruptLostError,
    RunTimeoutError,
    UnsupportedError,
)
from hwgen.driver.interrupt_line import InterruptLine, has_interrupt

Wait = Literal["auto", "interrupt", "poll"]

SHORTEST_S, LONGEST_S = 20e-6, 2e-3
"""Of the pauses between two looks."""
LOOK_S = 1.0
"""How long an interrupt is relied on before the engine is looked at."""
GRACE_S = 0.2
"""For an interrupt to arrive after the end of its run was seen."""


class Waiting:
    """Waits for one engine.

    Args:
        wait: ``interrupt``, ``poll``, or ``auto`` for interrupts where the device has them.

    Raises:
        UnsupportedError: ``interrupt`` on a device without, or another word.
    """

    def __init__(self, engine: HwgenEngine, wait: Wait) -> None:
        if wait not in get_args(Wait):
            raise UnsupportedError(
                f"wait is {wait!r}; it can be {', '.join(map(repr, get_args(Wait)))}."
            )
        if wait == "interrupt" and not has_interrupt(engine):
            raise UnsupportedError(
                'wait is "interrupt", and pynq finds no interrupt of the engine: remote devices '
                'have none, and a bitstream needs an AXI interrupt controller. Use wait="auto".'
            )
        self._engine = engine
        self._line = InterruptLine(engine) if wait != "poll" and has_interrupt(engine) else None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def by_interrupt(self) -> bool:
        """Whether interrupts are used where an event loop can wait for them."""
        return self._line is not None

    def prepare(self) -> None:
        """To be called before each start."""
        self._engine.clear_interrupt()
        self._engine.enable_interrupt(self.by_interrupt)

    def finish(self, run: str, timeout_s: float) -> None:
        """Waits for the end of the run. Inside a running event loop, as in a notebook, it polls.

        Args:
            run: how messages call it.

        Raises:
            RunTimeoutError: it goes on after ``timeout_s``.
            InterruptLostError: it ended, and the interrupt did not come.
        """
        if self._line is not None and not loop_runs():
            self._complete(_interrupted(self._engine, self._line, run, timeout_s))
        elif not poll(self._engine.idle, timeout_s):
            raise _timeout(run, timeout_s)

    async def finish_async(self, run: str, timeout_s: float) -> None:
        """The same, while other coroutines run."""
        if self._line is not None:
            await _interrupted(self._engine, self._line, run, timeout_s)
        elif not await poll_async(self._engine.idle, timeout_s):
            raise _timeout(run, timeout_s)

    def renew(self) -> None:
        """Connects the interrupt again after the bitstream was loaded again."""
        if self._line is not None:
            self._line.renew()

    def close(self) -> None:
        if self._loop is not None:
            self._loop.close()

    def _complete(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs the coroutine on a loop of our own."""
        self._loop = self._loop or asyncio.new_event_loop()
        task = self._loop.create_task(coroutine)
        try:
            self._loop.run_until_complete(task)
        finally:
            # Ctrl-C leaves the loop and not the task.
            if not task.done():
                task.cancel()
                self._loop.run_until_complete(asyncio.wait([task]))


def poll(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Looks at ``condition`` until it holds; False where it does not in time."""
    for pause in _pauses(timeout_s):
        if condition():
            return True
        time.sleep(pause)
    return condition()


async def poll_async(condition: Callable[[], bool], timeout_s: float) -> bool:
    """``poll``, while other coroutines run."""
    for pause in _pauses(timeout_s):
        if condition():
            return True
        await asyncio.sleep(pause)
    return condition()


def _pauses(timeout_s: float) -> Iterator[float]:
    """Seconds until the next look, until the time is over: an eighth of the time already waited,
    so that a wait is at most so much too long.
    """
    start = time.monotonic()
    while (waited := time.monotonic() - start) < timeout_s:
        yield min(max(SHORTEST_S, waited / 8), LONGEST_S, timeout_s - waited)


async def _interrupted(
    engine: HwgenEngine, line: InterruptLine, run: str, timeout_s: float
) -> None:
    end = time.monotonic() + timeout_s
    while not engine.idle():
        left = end - time.monotonic()
        if left <= 0:
            raise _timeout(run, timeout_s)
        if await line.wait(min(left, LOOK_S)) or not engine.idle():
            continue
        if not await line.wait(GRACE_S):
            raise InterruptLostError(
                f"{run} ended, and its interrupt did not come. Load the package with "
                'wait="poll"; the result is as good. For interrupts, see that no other program '
                "waits for them and that the interrupt controller is in the device tree."
            )


def _timeout(run: str, timeout_s: float) -> DriverError:
    return RunTimeoutError(
        f"{run} did not end within {timeout_s:g} s and may go on. The next call waits for it or "
        "loads the bitstream again. Give more time with timeout_s; if that does not help, run "
        "self_test()."
    )


def loop_runs() -> bool:
    """Whether this thread is inside an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
