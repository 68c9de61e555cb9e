# SPDX-License-Identifier: Apache-2.0
"""The units of token selection, each against the golden functions."""

from pathlib import Path

import pytest

from sim.runner import KERNELS, run_bench


def run(top: str, bench: str, build: Path, lanes: int | None = None) -> None:
    """Runs a bench on ``top``, whose submodules Verilator finds by their names."""
    run_bench(
        top,
        bench,
        build,
        sources=[KERNELS / "latency_pkg.sv", KERNELS / f"{top}.sv"],
        parameters={} if lanes is None else {"LANES": lanes},
        arguments=["-y", str(KERNELS)],
    )


def test_sigmoid(tmp_path: Path) -> None:
    run("sigmoid_lane", "bench_sigmoid", tmp_path)


@pytest.mark.parametrize("lanes", [16, 32, 64])
def test_token_decision(tmp_path: Path, lanes: int) -> None:
    run("token_decision", "bench_token_decision", tmp_path, lanes)


@pytest.mark.parametrize("lanes", [16, 64])
def test_row_sums(tmp_path: Path, lanes: int) -> None:
    run("row_sums", "bench_row_sums", tmp_path, lanes)


def test_mean_ratio(tmp_path: Path) -> None:
    run("mean_ratio", "bench_mean_ratio", tmp_path)
