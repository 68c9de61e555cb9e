# SPDX-License-Identifier: Apache-2.0
"""The units beside the array, each against the golden functions."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from hwgen.emit.rtl_tables import rtl_tables_package
from sim.runner import KERNELS, TOPS, run_bench


def run(
    top: str,
    bench: str,
    build: Path,
    folder: Path = KERNELS,
    parameters: Mapping[str, int] | None = None,
) -> None:
    """Runs a bench on ``top``, whose submodules Verilator finds by their names."""
    tables = build / "hwgen_tables_pkg.sv"
    tables.write_text(rtl_tables_package())
    run_bench(
        top,
        bench,
        build,
        sources=[KERNELS / "latency_pkg.sv", tables, folder / f"{top}.sv"],
        parameters=parameters,
        arguments=["-y", str(KERNELS)],
    )


def test_reciprocal_and_inverse_square_root(tmp_path: Path) -> None:
    run("root_lanes", "bench_roots", tmp_path, TOPS)


def test_gelu(tmp_path: Path) -> None:
    run("gelu_lanes", "bench_gelu", tmp_path, TOPS)


@pytest.mark.parametrize("lanes", [16, 32])
def test_epilogue(tmp_path: Path, lanes: int) -> None:
    run("epilogue", "bench_epilogue", tmp_path, parameters={"LANES": lanes})


def test_layer_norm(tmp_path: Path) -> None:
    run("layer_norm_path", "bench_layer_norm", tmp_path, TOPS, {"LANES": 16})


@pytest.mark.parametrize("lanes", [16, 64])
def test_softmax(tmp_path: Path, lanes: int) -> None:
    parameters = {"LANES": lanes, "MAX_ROWS": 64}
    run("softmax_row", "bench_softmax", tmp_path, parameters=parameters)
