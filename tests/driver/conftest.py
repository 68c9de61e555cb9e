# SPDX-License-Identifier: Apache-2.0
"""What ``tests/driver/prepare.py`` made, and a tiny package on a device that is quick."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# pynq installs a package called tests; ours is not found beside it.
sys.path.insert(0, str(Path(__file__).parent))

import reference_on_path  # noqa: F401, before what takes the interpreter
from fake_engine import FakeEngine, fake_device
from tiny_package import tiny_program, write_package

from hwgen.program.engine import EngineConfig
from hwgen.program.program import Program
from hwgen.rehearsal import SimulatedDevice


@pytest.fixture(scope="session")
def prepared() -> Path:
    """The folder that the environment variable HWGEN_DRIVER_TESTS names."""
    folder = os.environ.get("HWGEN_DRIVER_TESTS")
    if not folder:
        pytest.exit("HWGEN_DRIVER_TESTS names no folder; run make test-driver.", 2)
    return Path(folder)


def handoff(prepared: Path, name: str) -> tuple[EngineConfig, bytes]:
    """An engine and the ``.hwh`` that holds it."""
    engines = json.loads((prepared / "hwh" / "engines.json").read_text())
    return EngineConfig(**engines[name]), (prepared / "hwh" / f"{name}.hwh").read_bytes()


@dataclass(frozen=True)
class Tiny:
    """The tiny model's package, and a device for it."""

    package: Path
    program: Program
    device: SimulatedDevice
    engine: FakeEngine


@pytest.fixture
def tiny(prepared: Path, tmp_path: Path) -> Iterator[Tiny]:
    """For the engine of the Ultra96, which has one memory port."""
    engine, description = handoff(prepared, "ultra96v2")
    program = tiny_program(engine)
    package = write_package(tmp_path / "package", program, description)
    with fake_device(program) as (device, registers):
        yield Tiny(package, program, device, registers)


@pytest.fixture
def tiny_hls(prepared: Path, tmp_path: Path) -> Iterator[Tiny]:
    """For the C++ engine, which has two memory ports and no counters."""
    engine, description = handoff(prepared, "hls")
    program = tiny_program(engine)
    package = write_package(
        tmp_path / "package_hls",
        program,
        description,
        board="zcu102",
        bitstream={"made_by": "simulation", "engine": "hls", "tool": None},
    )
    with fake_device(program, counters=False, name="ZCU102") as (device, registers):
        yield Tiny(package, program, device, registers)
