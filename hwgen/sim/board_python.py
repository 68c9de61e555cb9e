# SPDX-License-Identifier: Apache-2.0
"""The Python that stands for the board's: it has pynq, which cannot live beside the generator."""

import hashlib
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from hwgen.errors import ToolError
from hwgen.package_data import data_folder
from hwgen.progress import Progress
from hwgen.sim.csim_build import cache_folder
from hwgen.sim.process import last_lines, run_process

VARIABLE = "HWGEN_BOARD_PYTHON"
REQUIREMENTS = "requirements.txt"
INSTALL_TIMEOUT_S = 3600.0

_NEEDED = ("pynq", "numpy", "nbclient", "ipykernel", "matplotlib")
_MISSING = f"""
from importlib.util import find_spec
print("missing:", *(name for name in {_NEEDED} if find_spec(name) is None))
"""


def board_python(named: Path | None, progress: Progress) -> Path:
    """An interpreter with pynq and what runs notebooks.

    It is the one named, else that of ``HWGEN_BOARD_PYTHON``, else one in an environment of its own
    in the cache folder, made the first time from ``boards/requirements.txt``.

    Raises:
        ToolError: the interpreter lacks something, or the environment cannot be made.
    """
    variable = os.environ.get(VARIABLE)
    if named is not None:
        return _checked(named, "--python")
    if variable:
        return _checked(Path(variable).expanduser(), f"The environment variable {VARIABLE}")
    folder = cache_folder() / "board-python"
    requirements = data_folder("boards") / REQUIREMENTS
    environment = folder / _key(requirements.read_bytes())
    # False too where the interpreter that it was made from is gone.
    if not _interpreter(environment).exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _make(environment, requirements, progress)
        except OSError as error:
            raise ToolError(
                f"Cannot use the cache folder {folder}: {error.strerror}. Set HWGEN_CACHE to a "
                "folder that can be written."
            ) from None
    return _interpreter(environment)


def _checked(python: Path, what: str) -> Path:
    # From PATH where it is a name alone. Absolute, since it is started in other folders.
    python = Path(shutil.which(python) or python).absolute()
    finished = run_process([python, "-c", _MISSING], what=f"{what}: Python", timeout_s=60.0)
    answer = finished.tail[-1] if finished.tail else ""
    if finished.code or not answer.startswith("missing:"):
        raise ToolError(f"{what} names {python}, which is no Python.{last_lines(finished.tail)}")
    missing = answer.removeprefix("missing:").split()
    if missing:
        raise ToolError(
            f"{what} names {python}, which lacks {', '.join(missing)}. Install them there with "
            f"'pip install -r {data_folder('boards') / REQUIREMENTS}', or leave the name out: then "
            "hwgen makes an environment."
        )
    return python


def _make(environment: Path, requirements: Path, progress: Progress) -> None:
    """Makes the environment beside its place, then moves it there: whole or not at all."""
    progress("board's Python", 0, 0)
    with tempfile.TemporaryDirectory(dir=environment.parent) as scratch:
        made = Path(scratch) / "environment"
        finished = run_process(
            [sys.executable, "-m", "venv", made], what="venv", timeout_s=INSTALL_TIMEOUT_S
        )
        if finished.code:
            raise ToolError(
                "The board's Python needs an environment of its own, and venv failed (exit code "
                f"{finished.code}).{last_lines(finished.tail)}\nInstall venv (Debian, Ubuntu: apt "
                "install python3-venv), or name a Python that has pynq with --python."
            )
        _install(_interpreter(made), requirements, progress)
        try:
            made.rename(environment)
        except OSError:
            # Another run made it meanwhile, which is as good; or only a broken one is in the way.
            if not _interpreter(environment).exists():
                environment.rename(Path(scratch) / "broken")
                made.rename(environment)


def _install(python: Path, requirements: Path, progress: Progress) -> None:
    lines = requirements.read_text().splitlines()
    total = sum(bool(line.strip()) and not line.startswith("#") for line in lines)
    done = 0

    def on_line(line: str) -> None:
        nonlocal done
        done += line.startswith("Collecting ")
        progress("board's Python", min(done, total), total)

    command: list[str | Path] = [
        python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off",
        "--requirement", requirements,
    ]  # fmt: skip
    finished = run_process(command, what="pip", timeout_s=INSTALL_TIMEOUT_S, on_line=on_line)
    if finished.code:
        raise ToolError(
            "pip could not install what stands for the board's Python (exit code "
            f"{finished.code}).{last_lines(finished.tail)}\nIt needs the network once. Try again, "
            f"or name a Python that has the packages of {requirements} with --python or the "
            f"environment variable {VARIABLE}."
        )


def _interpreter(environment: Path) -> Path:
    return environment / "bin" / "python"


def _key(requirements: bytes) -> str:
    """Digest of everything that decides the environment."""
    base = (sys.version, sys.base_prefix, platform.machine())
    return hashlib.sha256(repr(base).encode() + requirements).hexdigest()[:32]
