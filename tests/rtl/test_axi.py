# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from hwgen.emit.rtl_program import rtl_program_package
from hwgen.program.engine import EngineConfig
from sim.runner import KERNELS, ROOT, TOPS, run_bench

DDR_MODEL = ROOT / "sim" / "ddr_model"

LANES = pytest.mark.parametrize("lanes", [16, 64])


def _kernels(*names: str) -> list[Path]:
    return [KERNELS / f"{name}.sv" for name in names]


@LANES
def test_control_registers(tmp_path: Path, lanes: int) -> None:
    parameters = {"LANES": lanes, "DIGEST": EngineConfig(lanes=lanes).digest}
    run_bench("axi_lite_control", "bench_axi_lite_control", tmp_path, parameters=parameters)


@LANES
def test_fetch(tmp_path: Path, lanes: int) -> None:
    package = tmp_path / "hwgen_program_pkg.sv"
    package.write_text(rtl_program_package(EngineConfig(lanes=lanes)))
    sources = [package, *_kernels("fifo", "read_port", "prefetch_fifo", "fetch")]
    run_bench(
        "fetch_ports",
        "bench_fetch",
        tmp_path,
        [*sources, TOPS / "fetch_ports.sv"],
        parameters={"LANES": lanes},
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
        [DDR_MODEL / "ddr_model.sv"],
        parameters={**parameters, "MEGABYTES": 1},
        arguments=[str(DDR_MODEL / "ddr_memory.cpp")],
        environment=files,
    )
    found = Path(files["DDR_DUMP"]).read_bytes()
    assert len(found) == 1 << 20
    # The test of bandwidth writes to the first page.
    expected = Path(files["DDR_EXPECTED"]).read_bytes()
    assert found[4096 : len(expected)] == expected[4096:]
