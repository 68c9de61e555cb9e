# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import hwgen
from hwgen.cli.app import app

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """Runs a command line: ``run("build", "preset:deit-tiny")``."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A written design."""
    path = tmp_path_factory.mktemp("design") / "out"
    hwgen.build("preset:fashion-vit").write(path)
    return path
