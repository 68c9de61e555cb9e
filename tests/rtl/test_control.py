# SPDX-License-Identifier: Apache-2.0
"""What controls the engine, each part against a model in Python; lint of the whole engine."""

import os
import pickle
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from hwgen.emit.rtl import design_sources
from hwgen.emit.rtl_program import rtl_program_package
from hwgen.program.engine import EngineConfig
from sim.runner import KERNELS, TOPS, run_bench, verilator_environment
from tests.csim.writer import SMALL, random_program
from tests.rtl.test_engine import SIMULATION

ENGINE = EngineConfig(lanes=16, **SMALL)
PACKAGES = ("latency_pkg", "mac_pkg", "engine_pkg")


def run(
    top: str,
    folder: Path,
    file: Path | None = None,
    parameters: Mapping[str, int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Runs the bench of ``top``, whose submodules Verilator finds by their names."""
    package = folder / "hwgen_program_pkg.sv"
    package.write_text(rtl_program_package(ENGINE))
    run_bench(
        top,
        f"bench_{top}",
        folder,
        [package, *(KERNELS / f"{name}.sv" for name in PACKAGES), file or KERNELS / f"{top}.sv"],
        parameters={"LANES": ENGINE.lanes, **(parameters or {})},
        # No part needs all constants of the packages; lint of the whole engine looks at those.
        arguments=["-y", str(KERNELS), "-Wno-UNUSEDPARAM"],
        environment=environment,
        optimise="-O0",
    )


def test_tile_square(tmp_path: Path) -> None:
    run("tile_square", tmp_path)


def test_tile_path(tmp_path: Path) -> None:
    run("tile_path", tmp_path, TOPS / "tile_path.sv")


def test_storage(tmp_path: Path) -> None:
    run("storage", tmp_path, TOPS / "storage.sv")


def test_issuer(tmp_path: Path) -> None:
    run("issuer", tmp_path)


def test_sequencer(tmp_path: Path) -> None:
    cases = tmp_path / "cases.pickle"
    cases.write_bytes(pickle.dumps([random_program(ENGINE, seed) for seed in range(6)]))
    depths = ("max_rows", "score_depth", "residual_depth", "work_depth", "value_depth")
    run(
        "sequencer",
        tmp_path,
        parameters={name.upper(): getattr(ENGINE, name) for name in depths},
        environment={"HWGEN_BENCH_CASES": str(cases)},
    )


@pytest.mark.parametrize("lanes", [16, 32, 64])
def test_lint_of_the_whole_engine(tmp_path: Path, lanes: int) -> None:
    """No warning of Verilator's but those that are waived in place."""
    engine = EngineConfig(lanes=lanes)
    sources = design_sources(engine)
    for name, content in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    subprocess.run(
        ["verilator", "--lint-only", "-Wall", "--no-timing", "--top-module", "hwgen_engine",
         *sources, *(str(KERNELS / name) for name in SIMULATION)],
        cwd=tmp_path,
        env={**os.environ, **verilator_environment()},
        check=True,
    )  # fmt: skip
