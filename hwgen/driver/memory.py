# SPDX-License-Identifier: Apache-2.0
"""A program in the board's memory, with buffers for two runs: one is computed while the images of
the next are packed and the results of the last are read.
"""

from contextlib import ExitStack
from typing import Any

import numpy as np
import pynq

from hwgen.driver.errors import OutOfMemoryError
from hwgen.driver.package import Package
from hwgen.driver.program_files import ProgramFiles, read_program
from hwgen.driver.remote import check_memory
from hwgen.program.memory import PAGE_BEATS, stripe

SLOTS = 2
MISSING = -32768
"""Stands in the output buffer before a run. No result is: those are in [-32767, 32767]."""


class Buffer:
    """Bytes of memory that the engine and the processor see. The processor's caches do not follow
    what the engine does: ``flush`` and ``invalidate`` go between.

    Attributes:
        array: the processor's view; what is taken out of it must be copied.
        address: the engine's view.
    """

    def __init__(self, device: Any, shape: tuple[int, ...], dtype: type) -> None:
        """Raises OutOfMemoryError."""
        try:
            self.array = pynq.allocate(shape, dtype, target=device)
            check_memory(self.array)
        except (RuntimeError, MemoryError, OSError) as error:
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            raise OutOfMemoryError(
                f"The device gives no buffer of {size:,} bytes ({error}). End other programs that "
                "hold buffers, such as notebooks, or give Linux more contiguous memory with the "
                "kernel argument cma=."
            ) from error
        self.address = int(self.array.device_address)

    def write(self, data: np.ndarray) -> None:
        """Replaces the contents."""
        self.array[...] = data
        self.array.flush()

    def fill(self, value: int) -> None:
        self.array.fill(value)
        self.array.flush()

    def read(self) -> np.ndarray:
        """A copy of the contents."""
        self.array.invalidate()
        return np.array(self.array)

    def free(self) -> None:
        self.array.freebuffer()


class ProgramMemory:
    """A program of a package on a device, with its buffers.

    Attributes:
        input, output: what its images and results look like.
        classes: their names; none where the model has none.

    Raises:
        DriverError: of ``read_program``.
        OutOfMemoryError: the buffers do not fit; what was allocated is free again.
    """

    def __init__(self, device: Any, package: Package, name: str) -> None:
        self._package, self._name = package, name
        self._buffers: list[Buffer] = []
        files = read_program(package, name)
        self.input, self.output, self.classes = files.input, files.output, files.classes
        self.lanes, self._ports = package.manifest.engine.lanes, package.manifest.engine.ports
        pages = -(-self.input.beats(self.lanes) // PAGE_BEATS)
        region = (pages * PAGE_BEATS * self.lanes,)
        vectors = (self.output.vectors(self.lanes), self.lanes)
        with ExitStack() as undo:
            undo.callback(self.free)
            self._program = self._allocate(device, (len(files.program),), np.uint8)
            self._weights = self._allocate(device, (len(files.weights),), np.uint8)
            self._inputs = [self._allocate(device, region, np.uint8) for _ in range(SLOTS)]
            self._outputs = [self._allocate(device, vectors, np.int16) for _ in range(SLOTS)]
            self._write(files)
            undo.pop_all()

    def load_again(self) -> None:
        """Writes the program and its weights to memory once more. Raises CorruptPackageError."""
        self._write(read_program(self._package, self._name))

    def intact(self) -> bool:
        """Whether memory still holds the program and its weights. Raises CorruptPackageError."""
        files = read_program(self._package, self._name)
        return (
            self._program.read().tobytes() == files.program
            and self._weights.read().tobytes() == files.weights
        )

    def prepare(self, slot: int, beats: np.ndarray) -> None:
        """Writes the input of a run, uint8 (beats, lanes), and ``MISSING`` to its output."""
        self._inputs[slot].write(stripe(beats))
        self._outputs[slot].fill(MISSING)

    def result(self, slot: int) -> np.ndarray:
        """The output of a run, int16 (vectors, lanes)."""
        return self._outputs[slot].read()

    def program_arguments(self) -> dict[str, int]:
        """Values of the argument registers that are the same in every run. Port bases are zero, so
        that all addresses are absolute.
        """
        ports = {f"gmem{port}": 0 for port in range(self._ports)}
        return {**ports, "program": self._program.address, "weights": self._weights.address}

    def run_arguments(self, slot: int) -> dict[str, int]:
        """Those of one run."""
        return {"input": self._inputs[slot].address, "output": self._outputs[slot].address}

    def free(self) -> None:
        """Gives all memory back. The engine must not run."""
        # All of it, even where a board does not answer: pynq frees later what was not freed, by a
        # number that may be another buffer's by then.
        with ExitStack() as stack:
            while self._buffers:
                stack.callback(self._buffers.pop().free)

    def _write(self, files: ProgramFiles) -> None:
        self._program.write(np.frombuffer(files.program, np.uint8))
        self._weights.write(np.frombuffer(files.weights, np.uint8))

    def _allocate(self, device: Any, shape: tuple[int, ...], dtype: type) -> Buffer:
        self._buffers.append(Buffer(device, shape, dtype))
        return self._buffers[-1]
