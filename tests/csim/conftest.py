# SPDX-License-Identifier: Apache-2.0
"""Kernel benches: compiled with g++, run on files of golden vectors."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from hwgen.emit.headers import config_header, instruction_header, tables_header
from hwgen.package_data import data_folder
from hwgen.program.engine import EngineConfig

KERNELS = data_folder("kernels_hls")
FLAGS = (
    "-std=c++14",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unknown-pragmas",
    # The constructors of ap_int.h read their own uninitialised bits.
    "-Wno-uninitialized",
    "-Wno-maybe-uninitialized",
)


def ap_types() -> Path:
    """The folder of ``ap_int.h`` in the installed hls4ml wheel, found without importing it."""
    spec = find_spec("hls4ml")
    assert spec is not None and spec.origin is not None, "pip install --no-deps hls4ml"
    return Path(spec.origin).parent / "templates" / "vivado" / "ap_types"


@dataclass(frozen=True)
class Bench:
    """A compiled bench."""

    executable: Path

    def run(self, *parts: np.ndarray | bytes) -> subprocess.CompletedProcess[str]:
        """Runs the bench on one file that holds ``parts`` in order."""
        vectors = self.executable.with_suffix(".bin")
        vectors.write_bytes(
            b"".join(part if isinstance(part, bytes) else part.tobytes() for part in parts)
        )
        command = [str(self.executable), str(vectors)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    def passes(self, *parts: np.ndarray | bytes) -> None:
        """Asserts that every value of ``parts`` is as the bench computes it."""
        result = self.run(*parts)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "values equal" in result.stdout


Builder = Callable[..., Bench]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Compiles ``kernels_hls/tests/<name>.cpp`` for an engine configuration."""
    compiler = shutil.which("g++")
    assert compiler is not None, "the csim tests need g++"

    def build(
        name: str, engine: EngineConfig | None = None, *, optimise: str = "-O1", define: str = ""
    ) -> Bench:
        folder = tmp_path_factory.mktemp(name)
        (folder / "hwgen_config.hpp").write_text(config_header(engine or EngineConfig()))
        (folder / "hwgen_tables.hpp").write_text(tables_header())
        (folder / "hwgen_instruction.hpp").write_text(instruction_header())
        includes = [f"-I{path}" for path in (KERNELS, KERNELS / "csim", folder)]
        command = [compiler, *FLAGS, optimise, *includes, "-isystem", str(ap_types())]
        if define:
            command.append(f"-D{define}")
        command += [str(KERNELS / "tests" / f"{name}.cpp"), "-o", str(folder / name)]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return Bench(folder / name)

    return build
