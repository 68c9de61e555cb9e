# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from sim.runner import run_bench


@pytest.mark.parametrize("bits", [8, 16])
def test_requantise(tmp_path: Path, bits: int) -> None:
    run_bench("requantise", "bench_requantise", tmp_path, parameters={"OUTPUT_BITS": bits})
