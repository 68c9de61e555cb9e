# SPDX-License-Identifier: Apache-2.0
"""``install.sh`` of a package, in a folder that stands for the board."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hwgen.deploy.wheel import NAME, driver_wheel
from hwgen.package_data import data_folder

SCRIPT = data_folder("templates") / "package" / "install.sh"
SHELLS = [shell for shell in ("sh", "dash", "bash", "busybox") if shutil.which(shell)]
"""``sh`` is there always; the others where they are."""

Install = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package as far as the script sees it; its path has a space."""
    folder = tmp_path / "a package"
    for name in ("driver", "notebooks"):
        (folder / name).mkdir(parents=True)
    shutil.copyfile(SCRIPT, folder / SCRIPT.name)
    (folder / "driver" / NAME).write_bytes(driver_wheel())
    (folder / "notebooks" / "1 start.ipynb").touch()
    return folder


@pytest.fixture
def jupyter(tmp_path: Path) -> Path:
    """Jupyter's folder of notebooks."""
    folder = tmp_path / "jupyter"
    folder.mkdir()
    return folder


@pytest.fixture
def pynq(tmp_path: Path) -> Path:
    """A path on which there is something called pynq."""
    folder = tmp_path / "modules"
    (folder / "pynq").mkdir(parents=True)
    (folder / "pynq" / "__init__.py").touch()
    return folder


@pytest.fixture
def install(package: Path, jupyter: Path, pynq: Path, board_python: Path) -> Install:
    """Runs the script where ``board_python`` has pynq: ``install(*arguments, shell=, **changes)``
    with changes of the environment.
    """

    def run(
        *arguments: str, shell: str = "sh", **changes: str | Path
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{board_python.parent}:{os.environ['PATH']}",
            "PYTHONPATH": pynq,
            "PYNQ_JUPYTER_NOTEBOOKS": jupyter,
            "PYNQ_PROFILE": "/nowhere",
            **changes,
        }
        command = ["busybox", "sh"] if shell == "busybox" else [shell]
        return subprocess.run(
            [*command, package / SCRIPT.name, *arguments],
            env={name: str(value) for name, value in environment.items()},
            cwd=package.parent,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def program(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def driver_version(python: Path) -> str:
    """The version of the driver that ``python`` has; empty: none."""
    code = "import importlib.metadata as m; print(m.version('hwgen-driver'))"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def test_driver_and_notebooks_are_installed_twice_over(
    install: Install, package: Path, jupyter: Path, board_python: Path
) -> None:
    for _ in range(2):
        done = install()
        assert done.returncode == 0, done.stderr
        link = jupyter / "hwgen" / "a package"
        assert done.stdout == f"driver: {NAME}\nnotebooks: {link}/notebooks\n"
        assert driver_version(board_python) == NAME.split("-")[1]
        assert list((jupyter / "hwgen").iterdir()) == [link]
        assert link.resolve() == package


@pytest.mark.parametrize("shell", SHELLS)
def test_a_dry_run_changes_nothing(
    install: Install, package: Path, jupyter: Path, tmp_path: Path, shell: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = install("--dry-run", shell=shell)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("would run: python3 -m pip install")
    assert lines[0].endswith(f"{package}/driver/{NAME}")
    assert lines[-1] == f"would run: ln -s {package} {jupyter}/hwgen/a package"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_to_another_package_is_replaced_and_nothing_else(
    install: Install, package: Path, jupyter: Path
) -> None:
    link = jupyter / "hwgen" / "a package"
    link.parent.mkdir()
    link.symlink_to("/an/earlier/package")
    assert install().returncode == 0
    assert link.resolve() == package
    link.unlink()
    link.mkdir()
    done = install()
    assert done.returncode == 1
    assert f"{link} is no link of this script. Move it away" in done.stderr


def test_a_package_inside_the_folder_of_notebooks_needs_no_link(
    install: Install, package: Path
) -> None:
    done = install(PYNQ_JUPYTER_NOTEBOOKS=package.parent)
    assert done.returncode == 0, done.stderr
    assert f"notebooks: {package}/notebooks" in done.stdout
    assert not (package.parent / "hwgen").exists()


def test_the_environment_of_pynq_is_entered(
    install: Install, jupyter: Path, pynq: Path, board_python: Path, tmp_path: Path
) -> None:
    """Its profile is for bash: dash knows no ``source``."""
    enter = tmp_path / "activate"
    enter.write_text(
        f"export VIRTUAL_ENV='{board_python.parent.parent}' PYTHONPATH='{pynq}' \\\n"
        f"    PATH='{board_python.parent}':\"$PATH\" PYNQ_JUPYTER_NOTEBOOKS='{jupyter}'\n"
    )
    profile = tmp_path / "pynq_venv.sh"
    profile.write_text(f"source '{enter}'\n")
    outside = {"PYTHONPATH": "", "PATH": os.environ["PATH"], "PYNQ_JUPYTER_NOTEBOOKS": ""}
    done = install("--dry-run", PYNQ_PROFILE=profile, **outside)
    assert done.returncode == 0, done.stderr
    assert f"{jupyter}/hwgen" in done.stdout


def test_without_a_folder_of_notebooks_the_driver_is_installed(
    install: Install, package: Path, tmp_path: Path
) -> None:
    done = install(PYNQ_JUPYTER_NOTEBOOKS=tmp_path / "none")
    assert done.returncode == 0, done.stderr
    assert f"There is no folder {tmp_path}/none. Start Jupyter in {package}" in done.stdout
    shutil.rmtree(package / "notebooks")
    done = install("--dry-run")
    assert done.returncode == 0, done.stderr
    assert "notebooks" not in done.stdout


def test_where_the_generator_is_nothing_is_installed(
    install: Install, pynq: Path, jupyter: Path
) -> None:
    (pynq / "hwgen").mkdir()
    for name in ("__init__", "design"):
        (pynq / "hwgen" / f"{name}.py").touch()
    done = install("--dry-run", PYNQ_JUPYTER_NOTEBOOKS="/nowhere")
    assert done.returncode == 0, done.stderr
    assert "The driver is part of hwgen, which this Python has" in done.stdout
    assert "pip install" not in done.stdout


def test_what_is_missing_is_named(
    install: Install, package: Path, board_python: Path, jupyter: Path, tmp_path: Path
) -> None:
    fake = tmp_path / "bin"
    old = program(fake / "old", "exit 1")
    bare = program(
        fake / "bare",
        f'case "$*" in *"find_spec(\'pip\')"*) exit 1;; esac\nexec {board_python} "$@"',
    )
    locked = program(
        fake / "locked", f'case $* in *purelib*) echo /locked;; *) exec {board_python} "$@";; esac'
    )
    for message, changes in (
        ("no-python is missing. Install Python 3.10", {"PYTHON": "no-python"}),
        ("is older than 3.10, which the driver needs", {"PYTHON": old}),
        ("has no pynq. Enter the environment that has it", {"PYTHONPATH": ""}),
        ("has no pip. Install it: apt install python3-pip", {"PYTHON": bare}),
        ("/locked cannot be written. Run it as root: sudo sh", {"PYTHON": locked}),
    ):
        done = install(**changes)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert message in done.stderr
        assert not list(jupyter.iterdir())
    assert "unknown argument --now" in install("--now").stderr
    (package / "driver" / NAME).unlink()
    assert "unpack the whole package" in install().stderr


def test_a_folder_called_pynq_is_no_pynq(install: Install, package: Path) -> None:
    """PYNQ's images have one where users begin."""
    (package.parent / "pynq").mkdir()
    (package.parent / "pynq" / "__init__.py").touch()
    done = install(PYTHONPATH="")
    assert done.returncode == 1
    assert "has no pynq" in done.stderr
