# SPDX-License-Identifier: Apache-2.0
"""Which Python stands for the board's, and how hwgen makes one."""

import sys
from pathlib import Path

import pytest

from hwgen.errors import ToolError
from hwgen.progress import silent
from hwgen.sim import board_python as module
from hwgen.sim.board_python import REQUIREMENTS, VARIABLE, board_python


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("HWGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "board-python"


@pytest.fixture
def requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``boards/requirements.txt`` as the test writes it; nothing to install at first."""
    path = tmp_path / REQUIREMENTS
    path.write_text("# nothing\n")
    monkeypatch.setattr(module, "data_folder", lambda name: tmp_path)
    return path


def fake_python(path: Path, answer: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


def test_named_ones_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = fake_python(tmp_path / "given", "missing:")
    other = fake_python(tmp_path / "other", "missing:")
    monkeypatch.setenv(VARIABLE, str(other))
    assert board_python(given, silent) == given
    assert board_python(None, silent) == other


def test_what_a_named_one_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = fake_python(tmp_path / "python", "missing: pynq nbclient")
    with pytest.raises(ToolError, match=r"--python names .*, which lacks pynq, nbclient\."):
        board_python(lacking, silent)
    monkeypatch.setenv(VARIABLE, str(lacking))
    with pytest.raises(ToolError, match=rf"variable {VARIABLE} names .*'pip install -r"):
        board_python(None, silent)


def test_no_python(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="which is no Python"):
        board_python(fake_python(tmp_path / "python", "hello"), silent)
    with pytest.raises(ToolError, match="cannot be started .*No such file"):
        board_python(tmp_path / "nowhere", silent)


def test_this_python_is_asked_in_earnest() -> None:
    """The generator's environment cannot hold pynq."""
    with pytest.raises(ToolError, match="lacks pynq"):
        board_python(Path(sys.executable), silent)


def test_made_once(cache: Path, requirements: Path) -> None:
    stages: list[str] = []
    python = board_python(None, lambda stage, done, total: stages.append(stage))
    assert python.is_file() and python.is_relative_to(cache)
    assert set(stages) == {"board's Python"}
    assert len(list(cache.iterdir())) == 1
    stages.clear()
    assert board_python(None, lambda stage, done, total: stages.append(stage)) == python
    assert not stages
    # Other requirements make another environment, and a broken one is made again.
    requirements.write_text("# nothing more\n")
    assert board_python(None, silent) != python
    requirements.write_text("# nothing\n")
    python.unlink()
    assert board_python(None, silent) == python
    assert python.is_file()


def test_pip_fails(cache: Path, requirements: Path) -> None:
    requirements.write_text("/no/such/wheel.whl\n")
    with pytest.raises(ToolError) as refused:
        board_python(None, silent)
    message = str(refused.value)
    assert "pip could not install what stands for the board's Python (exit code 1)" in message
    assert "no/such/wheel.whl" in message
    assert "--python" in message and VARIABLE in message
    assert not list(cache.iterdir())


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("HWGEN_CACHE", str(tmp_path / "file"))
    with pytest.raises(ToolError, match="Cannot use the cache folder .* Set HWGEN_CACHE"):
        board_python(None, silent)
