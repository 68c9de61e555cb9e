# SPDX-License-Identifier: Apache-2.0
"""Runs of a program one after the other, with no pause for the engine between them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hwgen.driver.engine import HwgenEngine
from hwgen.driver.errors import OutputMissingError, engine_error
from hwgen.driver.memory import MISSING, SLOTS, ProgramMemory


@dataclass(frozen=True, eq=False)
class Job:
    """Images for a program in memory.

    Attributes:
        images: uint8 (N, height, width, channels), at least one.
        required: vectors of the output that every run writes, the first ones; all where None.
        counted: whether the engine's counters are read after each run, which takes it longer.
    """

    memory: ProgramMemory
    images: np.ndarray
    required: int | None = None
    counted: bool = False

    @property
    def runs(self) -> int:
        return -(-len(self.images) // self.memory.input.batch)

    def name(self, run: int) -> str:
        """How messages call a run."""
        return self.memory.input.run_name(run)

    def beats(self, run: int) -> np.ndarray:
        """The input of a run, uint8 (beats, lanes)."""
        batch = self.memory.input.batch
        chosen = self.images[run * batch : (run + 1) * batch]
        return self.memory.input.pack(chosen, self.memory.lanes)[0]


class Execution:
    """The runs of a job. Iterating does the work: it yields the name of each run when somebody must
    wait for its end.

    Args:
        prepare: called before each start.

    Attributes:
        outputs: of each run, int16 (vectors, lanes).
        counters: of the engine after each run, by register, if the job is counted; empty for an
            engine without.

    Raises:
        DriverError: of ``engine_error``, where a run ends with an error.
        OutputMissingError: a run ends without having written its output.
    """

    def __init__(self, engine: HwgenEngine, job: Job, prepare: Callable[[], None]) -> None:
        self.outputs: list[np.ndarray] = []
        self.counters: list[dict[str, int]] = []
        self._engine, self._job, self._prepare = engine, job, prepare

    def __iter__(self) -> Iterator[str]:
        job, memory = self._job, self._job.memory
        for name, value in memory.program_arguments().items():
            self._engine.set_value(name, value)
        memory.prepare(0, job.beats(0))
        self._start(0)
        for run in range(job.runs):
            if run + 1 < job.runs:
                memory.prepare((run + 1) % SLOTS, job.beats(run + 1))
            yield job.name(run)
            self._check(run)
            if run + 1 < job.runs:
                self._start(run + 1)
            self._collect(run)

    def _start(self, run: int) -> None:
        for name, value in self._job.memory.run_arguments(run % SLOTS).items():
            self._engine.set_value(name, value)
        self._prepare()
        self._engine.start()

    def _check(self, run: int) -> None:
        code = self._engine.value("error_code")
        if code:
            raise engine_error(code, self._job.name(run))
        if self._job.counted:
            self.counters.append(self._engine.counters())

    def _collect(self, run: int) -> None:
        output = self._job.memory.result(run % SLOTS)
        required = output[: self._job.required]
        missing = int(np.count_nonzero(required == MISSING))
        if missing:
            raise OutputMissingError(
                f"{self._job.name(run)}: the engine ended without an error and left {missing} of "
                f"{required.size} numbers of its output unwritten. Load the package again; if that "
                "does not help, run self_test()."
            )
        self.outputs.append(output)
