# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen.design import Design


@pytest.fixture(scope="session")
def design() -> Design:
    """A design that is in no folder."""
    return hwgen.build("preset:fashion-vit", board="zcu102")


@pytest.fixture(scope="session")
def board_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has numpy and pip, and neither hwgen nor pynq."""
    folder = tmp_path_factory.mktemp("board") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python3"
    packages = site_packages(python)
    for path in Path(np.__file__).parent.parent.glob("numpy*"):
        (packages / path.name).symlink_to(path)
    return python


def site_packages(python: Path) -> Path:
    """Where packages are installed in the environment of ``python``."""
    base = str(python.parent.parent)
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": base}))
