# SPDX-License-Identifier: Apache-2.0
"""The RTL engine: random programs behind its buses, whole networks from memory to memory."""

import pickle
from pathlib import Path

import numpy as np

import hwgen
from hwgen.config import Config
from hwgen.emit.rtl import design_sources
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer
from sim.runner import KERNELS, MAC_ARRAY_TWIN, run_bench
from tests.csim.writer import INPUT_BEATS
from tests.rtl.test_random import random_writer

SIMULATION = ("simulation/DSP48E2.sv", "simulation/mac_array_twin.sv")


def test_random_programs_behind_the_buses(tmp_path: Path) -> None:
    engine = EngineConfig(16, 24, 60, 150, 250, 130, 128)
    rng = np.random.default_rng(0)
    cases = []
    for seed in range(2):
        writer = random_writer(engine, seed)
        writer.step(lambda writer=writer: writer.any(Buffer.OUTPUT))
        cases.append((writer.program(), rng.integers(0, 256, (INPUT_BEATS, 16), np.uint8)))
    pickled = tmp_path / "cases.pickle"
    pickled.write_bytes(pickle.dumps(cases))
    sources = [tmp_path / name for name in design_sources(engine)]
    for path, content in zip(sources, design_sources(engine).values(), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    run_bench(
        "hwgen_engine",
        "bench_hwgen_engine",
        tmp_path / "build",
        [*sources, *(KERNELS / name for name in SIMULATION)],
        parameters={"WATCHDOG_BITS": 11},
        arguments=[str(MAC_ARRAY_TWIN[1])],
        environment={"HWGEN_BENCH_CASES": str(pickled)},
        optimise="-O1",
    )


def _measure(design: hwgen.Design) -> int:
    """The cycles of one image of random pixels, whose logits equal the interpreter's."""
    rtl = design.verify("rtl", images=1).rtl
    assert rtl is not None and rtl.array == "faithful"
    assert abs(design.summary.cycles.predicted / rtl.cycles - 1) < 0.05
    return rtl.cycles


def test_whole_networks_from_memory_to_memory() -> None:
    data = Path(hwgen.__file__).parent / "data"
    fashion = hwgen.build(data / "fashion_vit.onnx", calibration=data / "fashion_calibration.npz")
    assert _measure(fashion) < 61_000
    assert _measure(hwgen.build("preset:deit-tiny")) < 340_000
    short = hwgen.build("preset:deit-tiny", config=Config(class_token_only=True))
    assert _measure(short) < 320_000


def test_networks_that_select_tokens_from_memory_to_memory() -> None:
    data = Path(hwgen.__file__).parent / "data"
    fashion = hwgen.build(
        data / "fashion_vit_pruned.onnx", calibration=data / "fashion_calibration.npz"
    )
    found = fashion.verify("rtl", data / "fashion_test.npz", images=6).rtl
    assert found is not None
    # Images keep different tokens, and cycles follow.
    cycles = {run.rows: run.measured for run in found.runs}
    assert len(cycles) > 1 and max(cycles.values()) == found.slowest < 45_000
    tiny = hwgen.build("preset:deit-tiny@4:0.70,7:0.39,10:0.21")
    # HeatViT's keep ratios: 1,463 images/s at 300 MHz.
    assert _measure(tiny) <= 205_000
    pruning = tiny.summary.pruning
    assert pruning is not None and sum(one.share for one in pruning.selectors) <= 0.03
