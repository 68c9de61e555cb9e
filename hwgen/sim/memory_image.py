# SPDX-License-Identifier: Apache-2.0
"""What lies in the engine's memory before its first run, and where: one program, many inputs."""

from dataclasses import dataclass

import numpy as np

from hwgen.program.memory import stripe
from hwgen.program.program import Program

BASE = 0x10000
"""Base of all memory ports; the engine takes addresses of what it reads relative to it."""


@dataclass(frozen=True, eq=False)
class MemoryImage:
    """A memory from address 0 on.

    Attributes:
        data: its bytes; the output regions are zero.
        places: byte address of ``program``, ``weights``, ``input<run>`` and ``output<run>``.
    """

    program: Program
    data: bytes
    places: dict[str, int]

    def arguments(self, run: int) -> dict[str, int]:
        """Values of the argument registers for one run, by name."""
        return {
            **{f"gmem{port}": BASE for port in range(self.program.engine.ports)},
            "output": self.places[f"output{run}"],
            "program": self.places["program"] - BASE,
            "weights": self.places["weights"] - BASE,
            "input": self.places[f"input{run}"] - BASE,
        }

    def output(self, memory: np.ndarray, run: int) -> np.ndarray:
        """The output of one run, int16 (vectors, lanes): a view of ``memory``, uint8 (bytes,)."""
        start = self.places[f"output{run}"]
        found = memory[start : start + _output_bytes(self.program)]
        return found.view("<i2").reshape(-1, self.program.engine.lanes)


def memory_image(program: Program, beats: np.ndarray, alignment: int = 4096) -> MemoryImage:
    """The memory for runs on these inputs.

    Args:
        beats: uint8 (runs, beats, lanes), from ``InputLayout.pack``.
        alignment: of each part in bytes, a multiple of 16.
    """
    parts = {
        "program": program.image.astype("<u4").tobytes(),
        "weights": stripe(program.weights).tobytes(),
        **{f"input{i}": stripe(run).tobytes() for i, run in enumerate(beats)},
        **{f"output{i}": bytes(_output_bytes(program)) for i in range(len(beats))},
    }
    places = {}
    memory = bytearray(BASE)
    for name, data in parts.items():
        memory += bytes(-len(memory) % alignment)
        places[name] = len(memory)
        memory += data
    return MemoryImage(program, bytes(memory), places)


def _output_bytes(program: Program) -> int:
    lanes = program.engine.lanes
    return program.output.vectors(lanes) * lanes * 2
