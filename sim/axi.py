# SPDX-License-Identifier: Apache-2.0
"""What the benches of AXI modules share: memories that fail where told, and random pauses."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from cocotbext.axi import AxiRamRead, AxiRamWrite


class MemoryFailure(Exception):
    """The models answer with SLVERR when an access raises."""


class ReadMemory(AxiRamRead):
    """A memory behind a read port; words for whose address ``fails`` is true answer SLVERR."""

    fails: Callable[[int], bool] | None = None

    async def _read(self, address: int, length: int) -> bytes:
        if self.fails is not None and self.fails(address):
            raise MemoryFailure
        return await super()._read(address, length)


class WriteMemory(AxiRamWrite):
    """The same behind a write port."""

    fails: Callable[[int], bool] | None = None

    async def _write(self, address: int, data: bytes) -> None:
        if self.fails is not None and self.fails(address):
            raise MemoryFailure
        await super()._write(address, data)


def random_pauses(rng: np.random.Generator, share: float) -> Iterator[bool]:
    """Endless stretches of transfers and pauses; ``share`` of the cycles are pauses."""
    while True:
        length = int(rng.integers(1, 12))
        yield from rng.random(length) < (share if rng.random() < 0.7 else share / 4)


def hush(*models: Any) -> None:
    """Models log each transfer; that takes longer than the transfer."""
    for model in models:
        model.log.setLevel(logging.ERROR)
