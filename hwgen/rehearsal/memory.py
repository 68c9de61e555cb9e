# SPDX-License-Identifier: Apache-2.0
"""DDR of a simulated board, and the buffers in it.

A buffer has two copies, as caches make it on a board: that of the processors, an array, and that in
DDR, which the engine sees. Flushing copies one way, invalidating the other; a driver that forgets
it computes with noise, for both copies begin as random bytes.
"""

import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
from pynq.buffer import PynqBuffer

BASE = 0x7000_0000
"""Physical address of the part of DDR that buffers come from."""
BYTES = 256 << 20
ALIGNMENT = 4096
LEAST = 8192
"""Bytes of the smallest buffer, see ``XrtDevice.allocate_bo`` of pynq."""


class BufferObject:
    """What pynq knows a buffer by.

    Attributes:
        address: physical, of its first byte.
        host: the processors' copy, uint8 (bytes,).
        freed: its place in DDR may be another's by now.
    """

    def __init__(self, address: int, host: np.ndarray) -> None:
        self.address = address
        self.host = host
        self.freed = False


class SimulatedBuffer(PynqBuffer):
    """A buffer that gives its place in DDR back; slices of it do not."""

    memory: "DeviceMemory"

    def freebuffer(self) -> None:
        """Frees the place in DDR at once, whoever still uses the array."""
        if "memory" in vars(self):
            self.freed = True
            self.memory.free(self.bo)


class DeviceMemory:
    """The memory that ``pynq.allocate`` takes from. Any thread may use it."""

    def __init__(
        self, device: Any, file: Path, seed: int = 0, base: int = BASE, size: int = BYTES
    ) -> None:
        """Makes the file, without contents: it takes disk space as buffers are allocated.

        Args:
            device: that buffers name as theirs.
            file: what is in DDR.
            seed: of what buffers hold at first.
            base: physical address of the first byte.
            size: bytes.
        """
        with file.open("wb") as out:
            out.truncate(size)
        self.base_address = base
        self.size = size
        self._device = device
        self._bytes = np.memmap(file, np.uint8, mode="r+")
        self._random = np.random.default_rng(seed)
        self._used: dict[int, int] = {}
        self._lock = threading.Lock()

    @property
    def mem_used(self) -> int:
        """Bytes that buffers take."""
        return sum(self._used.values())

    @property
    def num_buffers(self) -> int:
        """Buffers that have not been freed."""
        return len(self._used)

    def allocate(self, shape: Any, dtype: Any, cacheable: int = 0) -> SimulatedBuffer:
        """A buffer like those of ``pynq.allocate``; ``cacheable`` makes no difference.

        Raises:
            RuntimeError: no place is large enough; pynq raises the same.
        """
        dtype = np.dtype(dtype)
        count = math.prod(shape) if isinstance(shape, tuple | list) else int(shape)
        size = count * dtype.itemsize
        with self._lock:
            address = self._place(size)
            host = np.frombuffer(bytearray(self._random.bytes(size)), np.uint8)
            self._region(address, size)[:] = np.frombuffer(self._random.bytes(size), np.uint8)
        found = BufferObject(address, host)
        buffer = SimulatedBuffer(
            shape, dtype, bo=found, device=self._device, buffer=host, device_address=address
        )
        buffer.memory = self
        return buffer

    def free(self, buffer: BufferObject) -> None:
        """Gives its place back; a second time does no harm."""
        with self._lock:
            if not buffer.freed:
                buffer.freed = True
                del self._used[buffer.address]

    def flush(self, buffer: BufferObject, offset: int, size: int) -> None:
        """Copies the processors' bytes from ``offset`` on to DDR.

        Raises:
            RuntimeError: the buffer was freed, or is smaller; pynq raises the same.
        """
        host, region = self._copies(buffer, offset, size, "Flush")
        region[:] = host

    def invalidate(self, buffer: BufferObject, offset: int, size: int) -> None:
        """Copies DDR's bytes from ``offset`` on to the processors.

        Raises:
            RuntimeError: the buffer was freed, or is smaller; pynq raises the same.
        """
        host, region = self._copies(buffer, offset, size, "Invalidate")
        host[:] = region

    def _copies(
        self, buffer: BufferObject, offset: int, size: int, what: str
    ) -> tuple[np.ndarray, np.ndarray]:
        if buffer.freed:
            raise RuntimeError(f"Buffer {what} Failed: the buffer was freed")
        if not 0 <= offset <= offset + size <= len(buffer.host):
            raise RuntimeError(
                f"Buffer {what} Failed: bytes {offset} to {offset + size} of {len(buffer.host)}"
            )
        return buffer.host[offset : offset + size], self._region(buffer.address + offset, size)

    def _region(self, address: int, size: int) -> np.ndarray:
        start = address - self.base_address
        return self._bytes[start : start + size]

    def _place(self, size: int) -> int:
        size = -(-max(size, LEAST) // ALIGNMENT) * ALIGNMENT
        start = self.base_address
        for address, used in sorted(self._used.items()):
            if address - start >= size:
                break
            start = address + used
        if start + size > self.base_address + self.size:
            raise RuntimeError(
                f"BO allocation failed: no {size} bytes in one piece, {self.mem_used} of "
                f"{self.size} are in use"
            )
        self._used[start] = size
        return start
