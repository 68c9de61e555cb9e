# SPDX-License-Identifier: Apache-2.0
"""Cycles of a network's blocks: of RTL simulation, or predicted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hwgen.emit.rtl import FOLDER, rtl_project
from hwgen.estimate.cycles import estimate_cycles
from hwgen.estimate.timing import Timing
from hwgen.golden.interpreter import Interpreter
from hwgen.latency_table import cache
from hwgen.program.program import Program
from hwgen.progress import Progress
from hwgen.report.parts import SELECTOR, parts
from hwgen.sim.rtl import Memory
from hwgen.sim.rtl_build import Options, compile_rtl
from hwgen.sim.verify_rtl import verify_rtl

Level = Literal["rtl", "model"]


@dataclass(frozen=True)
class BlockCycles:
    """Cycles of one image, the mean over a run.

    Attributes:
        blocks: of each block, without a selector before it.
        selector: of the last selector; 0 where there is none.
        outside: embedding, head, start and end.
    """

    blocks: tuple[float, ...]
    selector: float
    outside: float


def measure(
    program: Program, images: np.ndarray, timing: Timing, level: Level, progress: Progress
) -> BlockCycles:
    """The cycles of each block of ``program``, which keeps the same number of tokens of every
    image.

    RTL simulation takes the C++ twin of the multipliers, equal in every cycle, and its outputs are
    compared with the integer reference. Its results are kept in the cache folder: cycles depend on
    shapes, not on weights.

    Args:
        images: uint8 (batch, H, W, C).

    Raises:
        VerificationError: RTL and reference disagree.
        ToolError: a tool is missing or failed.
    """
    if level == "model":
        return _by_block(program, [i.cycles for i in estimate_cycles(program, timing).instructions])
    memory = Memory(timing.ddr_bytes, timing.ddr_latency)
    sources = {
        name.removeprefix(f"{FOLDER}/"): data for name, data in rtl_project(program.engine).items()
    }
    key = cache.key(program, memory, sources)
    known = cache.load(key)
    if known is None:
        known = _simulate(program, images, memory, sources, progress)
        cache.save(key, known)
    return _by_block(program, known)


def _simulate(
    program: Program,
    images: np.ndarray,
    memory: Memory,
    sources: dict[str, bytes],
    progress: Progress,
) -> list[int]:
    """Measured cycles of each instruction."""
    progress("compiling RTL", 0, 0)
    simulator = compile_rtl(
        sources, Options(twin=True), lambda *step: progress("compiling RTL", *step)
    )
    beats = program.input.pack(images, program.engine.lanes)
    found = verify_rtl(
        simulator,
        program,
        beats,
        Interpreter(program).run(beats),
        memory=memory,
        progress=lambda *step: progress("RTL cycles", *step),
    )
    return [share.cycles for share in found.timeline.shares]


def _by_block(program: Program, cycles: Sequence[int]) -> BlockCycles:
    blocks: Counter[str] = Counter()
    selectors: Counter[str] = Counter()
    outside = 0
    places = parts(program.instructions, program.labels)
    for (block, part), count in zip(places, cycles, strict=True):
        if part == SELECTOR:
            selectors[block] += count
        elif block.startswith("block "):
            blocks[block] += count
        else:
            outside += count
    batch = program.input.batch
    return BlockCycles(
        tuple(count / batch for count in blocks.values()),
        next(reversed(selectors.values()), 0) / batch,
        outside / batch,
    )
