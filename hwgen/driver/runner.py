# SPDX-License-Identifier: Apache-2.0
"""One engine, for one call at a time, that is always ready for the next one."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from pynq import Overlay

from hwgen.driver.board import check_identity, choose_device, load_again
from hwgen.driver.engine import HwgenEngine
from hwgen.driver.errors import DeviceBusyError, UnsupportedError, replaced_bitstream
from hwgen.driver.execution import Execution, Job
from hwgen.driver.memory import ProgramMemory
from hwgen.driver.package import Package
from hwgen.driver.waiting import Wait, Waiting, loop_runs, poll, poll_async

QUIET_S = 2.0
"""How long a run that was given up may go on before the bitstream is loaded again."""


class Runner:
    """Runs jobs on an engine.

    Raises:
        UnsupportedError: of ``Waiting``.
    """

    def __init__(self, overlay: Overlay, package: Package, engine: HwgenEngine, wait: Wait) -> None:
        self._overlay, self._package, self._engine = overlay, package, engine
        self._waiting = Waiting(engine, wait)
        self._programs: list[ProgramMemory] = []
        self._busy = threading.Lock()
        self._process = os.getpid()
        self._closed = False
        self._restarting = False

    @property
    def by_interrupt(self) -> bool:
        """Whether runs are waited for by interrupt."""
        return self._waiting.by_interrupt

    def load(self, device: Any, name: str) -> ProgramMemory:
        """Puts a program into memory, beside those that are there. Raises the errors of
        ``ProgramMemory``.
        """
        self._programs.append(ProgramMemory(device, self._package, name))
        return self._programs[-1]

    @contextmanager
    def loaded(self, device: Any, name: str) -> Iterator[ProgramMemory]:
        """A program that leaves memory in the end."""
        self.check()
        memory = self.load(device, name)
        with ExitStack() as stack:
            stack.callback(memory.free)
            stack.callback(self._programs.remove, memory)
            stack.callback(self._stop)
            yield memory

    def run(self, job: Job, timeout_s: float) -> Execution:
        """Does a job.

        Args:
            timeout_s: for each run.

        Raises:
            DriverError: of ``Execution`` and ``Waiting.finish``.
            BitstreamError: another bitstream was loaded.
            DeviceBusyError: another call is under way.
        """
        self.check()
        with self.alone(timeout_s):
            self._settle()
            execution = Execution(self._engine, job, self._waiting.prepare)
            for run in execution:
                self._waiting.finish(run, timeout_s)
        return execution

    async def run_async(self, job: Job, timeout_s: float) -> Execution:
        """The same, while other coroutines run; it waits for earlier calls."""
        self.check()
        if not await poll_async(lambda: self._busy.acquire(blocking=False), timeout_s):
            raise _busy()
        try:
            self.check()
            if self._restarting or not await poll_async(self._engine.idle, QUIET_S):
                self._restart()
            execution = Execution(self._engine, job, self._waiting.prepare)
            for run in execution:
                await self._waiting.finish_async(run, timeout_s)
        finally:
            self._busy.release()
        return execution

    def values(self) -> dict[str, int]:
        """The engine's registers by name. Raises the errors of ``check``."""
        self.check()
        return self._engine.values()

    def close(self) -> None:
        """Stops the engine and gives all memory back. Nothing else may use it meanwhile: ``alone``
        sees to that.
        """
        self._closed = True
        with ExitStack() as stack:
            for program in self._programs:
                stack.callback(program.free)
            stack.callback(self._waiting.close)
            if self._overlay.is_loaded() and not poll(self._engine.idle, QUIET_S):
                load_again(self._overlay, self._package)

    @contextmanager
    def alone(self, timeout_s: "float | None" = None) -> Iterator[None]:
        """Keeps other calls from the engine. Raises DeviceBusyError where one has it for longer
        than ``timeout_s``, ``QUIET_S`` if None.
        """
        # A coroutine that has the engine could not end while its event loop waits here.
        limit_s = QUIET_S if timeout_s is None else timeout_s
        if not self._busy.acquire(timeout=0.0 if loop_runs() else limit_s):
            raise _busy()
        try:
            yield
        finally:
            self._busy.release()

    def _stop(self) -> None:
        # Another call that has the engine began with settling it.
        with suppress(DeviceBusyError), self.alone():
            self._settle()

    def _settle(self) -> None:
        """Sees that nothing runs."""
        self.check()
        if self._restarting or not poll(self._engine.idle, QUIET_S):
            self._restart()

    def _restart(self) -> None:
        """Loads bitstream and programs again. Where that is broken off, the next call does it."""
        self._restarting = True
        choose_device(self._overlay.device)
        load_again(self._overlay, self._package)
        check_identity(self._engine, self._package.manifest)
        self._waiting.renew()
        for program in self._programs:
            program.load_again()
        self._restarting = False

    @property
    def forked(self) -> bool:
        """Whether this process is a copy of the one that loaded the package."""
        return os.getpid() != self._process

    def check(self) -> None:
        """Sees that the engine is still ours.

        Raises:
            DeviceBusyError: it is the process's that this one was forked from.
            UnsupportedError: it was closed.
            BitstreamError: another bitstream was loaded.
        """
        if self.forked:
            raise DeviceBusyError(
                f"The device is in use by the process that loaded the package ({self._process}), "
                "of which this one is a copy (fork). Predict there, or load the package here and "
                "not there."
            )
        if self._closed:
            raise UnsupportedError(
                "This accelerator is closed; loading another package closes it, too. Load the "
                "package again."
            )
        if not self._overlay.is_loaded():
            raise replaced_bitstream()


def _busy() -> DeviceBusyError:
    return DeviceBusyError(
        "Another call of this accelerator is under way. Wait for it: in a notebook, await "
        "predict_async before calling predict."
    )
