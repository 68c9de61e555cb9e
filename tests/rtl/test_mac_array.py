# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from sim.runner import MAC_ARRAY, MAC_ARRAY_TWIN, TOPS, run_bench


def test_a_chain_and_its_primitives(tmp_path: Path) -> None:
    top = "mac_chain_models"
    run_bench(top, "bench_mac_chain", tmp_path, [*MAC_ARRAY, TOPS / f"{top}.sv"])


def test_a_column_pair_of_primitives(tmp_path: Path) -> None:
    parameters = {"LANES": 64, "PRIMITIVE": 1}
    run_bench("column_pair", "bench_column_pair", tmp_path, MAC_ARRAY, parameters)


@pytest.mark.parametrize(("lanes", "tiles", "cycles"), [(16, 20, 3000), (64, 4, 800)])
def test_the_array_and_its_twin(tmp_path: Path, lanes: int, tiles: int, cycles: int) -> None:
    top = "mac_array_models"
    module, arithmetic = MAC_ARRAY_TWIN
    run_bench(
        top,
        "bench_mac_array",
        tmp_path,
        [*MAC_ARRAY, module, TOPS / f"{top}.sv"],
        parameters={"LANES": lanes},
        arguments=[str(arithmetic)],
        environment={"BENCH_TILES": str(tiles), "BENCH_CYCLES": str(cycles)},
        # At 64 lanes the compiler takes far longer than the run.
        optimise="-O0",
    )
