# SPDX-License-Identifier: Apache-2.0
"""Whole networks on any implementation of the engine, through its registers and buses."""

import pickle
import shutil
from pathlib import Path

import numpy as np

from hwgen.golden.interpreter import Interpreter
from hwgen.program.program import Program
from hwgen.program.status import ErrorCode
from hwgen.sim.memory_image import BASE, memory_image
from sim.bench_network import Run
from sim.implementation import Implementation
from sim.runner import run_bench

BEYOND = 1 << 40
"""An address that no memory has."""


def check_network(
    implementation: Implementation, program: Program, beats: np.ndarray, folder: Path
) -> None:
    """Runs all inputs in one simulation, with runs that fail in between.

    Afterwards all of memory is as the interpreter would leave it: outputs in their places, nothing
    else changed.

    Args:
        beats: uint8 (runs, beats, lanes).

    Raises:
        AssertionError: the bench failed, or memory differs.
    """
    # One more input, for the runs that fail: what is in their output region is not told.
    failing = len(beats)
    image = memory_image(program, np.concatenate([beats, beats[:1]]), alignment=16)
    runs = [
        Run(program.engine, image.arguments(index), ErrorCode.NONE, index % 2 == 1)
        for index in range(len(beats))
    ]
    no_program = image.arguments(failing) | {"program": image.places["input0"] - BASE}
    runs.insert(1, Run(program.engine, no_program, ErrorCode.BAD_HEADER, False))
    if implementation.memory_errors:
        no_weights = image.arguments(failing) | {"weights": BEYOND}
        runs.insert(3, Run(program.engine, no_weights, ErrorCode.MEMORY, False))
    files = {name: folder / name for name in ("image", "dump", "runs")}
    files["image"].write_bytes(image.data)
    files["runs"].write_bytes(pickle.dumps(runs))
    for path in implementation.contents:
        shutil.copy(path, folder)
    run_bench(
        "hwgen_testbench",
        "bench_network",
        folder,
        implementation.sources,
        arguments=implementation.arguments,
        environment={
            "DDR_IMAGE": str(files["image"]),
            "DDR_DUMP": str(files["dump"]),
            "HWGEN_BENCH_RUNS": str(files["runs"]),
            "HWGEN_BENCH_COUNTERS": str(int(implementation.counters)),
        },
        optimise="-O1",
    )
    found = np.frombuffer(files["dump"].read_bytes(), np.uint8)
    expected = np.zeros_like(found)
    expected[: len(image.data)] = np.frombuffer(image.data, np.uint8)
    image.output(expected, failing)[:] = image.output(found, failing)
    for index, output in enumerate(Interpreter(program).run_all(beats)):
        assert (image.output(found, index) == output).all(), f"output of run {index}"
        image.output(expected, index)[:] = output
    assert (found == expected).all(), "memory changed outside of the output regions"
