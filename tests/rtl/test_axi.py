# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from hwgen.emit.rtl_program import rtl_program_package
from hwgen.emit.rtl_registers import rtl_registers_package
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import End, Load
from hwgen.program.memory import stripe
from hwgen.program.program import InputLayout, OutputLayout, Program
from sim.runner import KERNELS, SIMULATION, TOPS, run_bench

LANES = pytest.mark.parametrize("lanes", [16, 64])


def _kernels(*names: str) -> list[Path]:
    return [KERNELS / f"{name}.sv" for name in names]


@LANES
def test_control_registers(tmp_path: Path, lanes: int) -> None:
    engine = EngineConfig(lanes=lanes)
    package = tmp_path / "hwgen_registers_pkg.sv"
    package.write_text(rtl_registers_package(engine))
    sources = [package, *_kernels("axi_lite_control")]
    parameters = {"DIGEST": engine.digest}
    run_bench("axi_lite_control", "bench_axi_lite_control", tmp_path, sources, parameters)


def test_run_control(tmp_path: Path) -> None:
    package = tmp_path / "hwgen_program_pkg.sv"
    package.write_text(rtl_program_package(EngineConfig()))
    sources = [package, *_kernels("run_control")]
    parameters = {"WATCHDOG_BITS": 8, "SETTLE": 70}
    run_bench("run_control", "bench_run_control", tmp_path, sources, parameters)


@pytest.mark.parametrize(("lanes", "depth"), [(16, 320), (64, 512)])
def test_fetch(tmp_path: Path, lanes: int, depth: int) -> None:
    package = tmp_path / "hwgen_program_pkg.sv"
    package.write_text(rtl_program_package(EngineConfig(lanes=lanes)))
    sources = [package, *_kernels("fifo", "read_port", "prefetch_fifo", "fetch")]
    run_bench(
        "fetch_ports",
        "bench_fetch",
        tmp_path,
        [*sources, TOPS / "fetch_ports.sv"],
        parameters={"LANES": lanes, "PREFETCH_DEPTH": depth},
    )


@LANES
def test_store(tmp_path: Path, lanes: int) -> None:
    sources = [*_kernels("store"), TOPS / "store_port.sv"]
    run_bench("store_port", "bench_store", tmp_path, sources, parameters={"LANES": lanes})


@pytest.mark.parametrize(
    "parameters",
    [{"PORTS": 4}, {"PORTS": 1, "LATENCY": 7, "OUTSTANDING": 2, "MILLIBYTES": 9000}],
    ids=["board", "narrow"],
)
def test_memory_model(tmp_path: Path, parameters: dict[str, int]) -> None:
    files = {f"DDR_{name}": str(tmp_path / name) for name in ("IMAGE", "DUMP", "EXPECTED")}
    image = np.random.default_rng(0).bytes(1 << 16)
    Path(files["DDR_IMAGE"]).write_bytes(image)
    run_bench(
        "ddr_model",
        "bench_ddr_model",
        tmp_path,
        [SIMULATION / "ddr_model.sv"],
        parameters={**parameters, "MEGABYTES": 1},
        arguments=[str(SIMULATION / "ddr_memory.cpp")],
        environment=files,
    )
    found = Path(files["DDR_DUMP"]).read_bytes()
    assert len(found) == 1 << 20
    # The test of bandwidth writes to the first page.
    expected = Path(files["DDR_EXPECTED"]).read_bytes()
    assert found[4096 : len(expected)] == expected[4096:]


@pytest.mark.parametrize("rate", [42667, 1_000_000], ids=["board", "unlimited"])
def test_fetch_and_store_use_the_bandwidth(tmp_path: Path, rate: int) -> None:
    lanes, beats, program_at, weights_at = 64, 3000, 0x400, 0x10000
    engine = EngineConfig(lanes=lanes)
    weights = np.random.default_rng(0).integers(0, 256, (beats, lanes), dtype=np.uint8)
    program = Program(
        "bench",
        engine,
        (Load(Region.WEIGHTS, 0, Buffer.WORK, 0, beats), End()),
        ("", ""),
        weights,
        InputLayout(4, 4, 1, 4),
        OutputLayout(1, 1, 1.0),
    )
    memory = np.zeros(1 << 20, np.uint8)
    for at, data in (
        (program_at, program.image.astype("<u4").view(np.uint8).reshape(-1)),
        (weights_at, stripe(weights)),
    ):
        memory[at : at + len(data)] = data
    image = tmp_path / "image"
    image.write_bytes(memory.tobytes())
    package = tmp_path / "hwgen_program_pkg.sv"
    package.write_text(rtl_program_package(engine))
    run_bench(
        "fetch_memory",
        "bench_fetch_memory",
        tmp_path,
        [
            package,
            *_kernels("fifo", "read_port", "prefetch_fifo", "fetch", "store"),
            SIMULATION / "ddr_model.sv",
            TOPS / "fetch_memory.sv",
        ],
        parameters={"MILLIBYTES": rate},
        arguments=[str(SIMULATION / "ddr_memory.cpp")],
        environment={
            "DDR_IMAGE": str(image),
            "BENCH_BEATS": str(beats),
            "BENCH_PROGRAM": str(program_at),
            "BENCH_WEIGHTS": str(weights_at),
        },
    )
