# SPDX-License-Identifier: Apache-2.0
"""The self-test: numbers that go through every part of the engine, and a diagnosis."""

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwgen.driver.diagnosis import Checks, diagnose
from hwgen.driver.errors import (
    DriverError,
    EngineStalledError,
    InterruptLostError,
    MemoryFaultError,
    ProgramRejectedError,
    RunTimeoutError,
    SelfTestError,
)
from hwgen.driver.execution import Execution, Job
from hwgen.driver.json_fields import damaged
from hwgen.driver.memory import Buffer, ProgramMemory
from hwgen.driver.package import Package
from hwgen.driver.program_files import SELF_TEST

MEMORY = "memory, as the processor sees it"
MEMORY_WORDS = 1 << 16
OVERWRITTEN = "the model in memory, which was overwritten (load the package again)"

_SUSPECTS: dict[type[DriverError], str] = {
    MemoryFaultError: "memory port (an access was answered with an error)",
    EngineStalledError: "memory port (one stopped answering)",
    ProgramRejectedError: "memory port 0 (read), which reads the program",
    RunTimeoutError: "engine (its run does not end)",
    InterruptLostError: "interrupt",
}
"""What a run that ends like that says. None of its numbers count."""


@dataclass(frozen=True)
class SelfTestResult:
    """What the self-test found.

    Attributes:
        seconds: it took.
        failures: what is suspected, by name; none where all is well.
        message: the same for people.
    """

    seconds: float
    failures: tuple[str, ...]
    message: str

    @property
    def passed(self) -> bool:
        return not self.failures

    def check(self) -> None:
        """Raises SelfTestError unless the test passed."""
        if not self.passed:
            raise SelfTestError(self.message)

    def __str__(self) -> str:
        return f"{self.message} ({self.seconds:.2f} s)"


def memory_works(device: Any) -> bool:
    """Whether the processor reads from a buffer what it wrote there."""
    buffer = Buffer(device, (MEMORY_WORDS,), np.uint32)
    try:
        # Words differ from their neighbours, and in all bits from the same word of the second pass.
        words = np.arange(MEMORY_WORDS, dtype=np.uint32) * np.uint32(0x9E3779B1)
        for pattern in (words, ~words):
            buffer.write(pattern)
            if not np.array_equal(buffer.read(), pattern):
                return False
        return True
    finally:
        buffer.free()


def run_self_test(
    device: Any,
    package: Package,
    model: ProgramMemory,
    memory: ProgramMemory,
    run: Callable[[Job], Execution],
) -> SelfTestResult:
    """Runs the self-test.

    Args:
        model: must still be in memory.
        memory: holds the self-test's program.
        run: does a job.

    Raises:
        CorruptPackageError: files of the self-test are no such files.
        DriverError: of ``Runner.run``, where it says nothing about the hardware.
    """
    start = time.monotonic()
    checks, images, expected = _files(package)
    if not memory_works(device):
        return _failed(start, MEMORY)
    if not model.intact():
        return _failed(start, OVERWRITTEN)
    try:
        # What is not written is for the diagnosis.
        found = run(Job(memory, images, required=0)).outputs[0]
    except tuple(_SUSPECTS) as error:
        return _failed(start, _SUSPECTS[type(error)])
    diagnosis = diagnose(checks, expected, found)
    return SelfTestResult(time.monotonic() - start, diagnosis.suspects, str(diagnosis))


def _failed(start: float, suspect: str) -> SelfTestResult:
    text = f"The self-test failed. Suspected: {suspect}."
    return SelfTestResult(time.monotonic() - start, (suspect,), text)


def _files(package: Package) -> tuple[Checks, np.ndarray, np.ndarray]:
    """The checks, the input as images and the output that is right, int16 (vectors, lanes)."""
    folder = f"programs/{SELF_TEST}"
    try:
        return (
            Checks.from_json(json.loads(package.read(f"{folder}/checks.json"))),
            _array(package.read(f"{folder}/input.npy")),
            _array(package.read(f"{folder}/expected.npy")),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(folder, f"it holds no self-test of this version ({error})") from None


def _array(data: bytes) -> np.ndarray:
    return np.load(io.BytesIO(data), allow_pickle=False)
