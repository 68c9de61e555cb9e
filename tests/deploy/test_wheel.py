# SPDX-License-Identifier: Apache-2.0
"""The wheel is whole, holds nothing but the driver, and works where there is no generator."""

import ast
import base64
import hashlib
import io
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import hwgen
from hwgen.deploy import wheel

ROOT = Path(hwgen.__file__).parent.parent
BOARD = {"numpy", "pynq"}
"""What the driver may import beside the standard library."""
REHEARSAL = {"grpc", "ipykernel", "jupyter_client", "nbclient", "nbformat", "pynqmetadata"}
"""What the simulated board may import as well: what pynq brings, and what runs notebooks."""


@pytest.fixture(scope="module")
def content() -> dict[str, bytes]:
    """The files of the wheel."""
    with zipfile.ZipFile(io.BytesIO(wheel.driver_wheel())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def run(python: Path, code: str, *arguments: str) -> str:
    """What ``code`` prints where no path but those of the environment is searched."""
    done = subprocess.run(
        [python, "-I", "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(source: bytes) -> set[str]:
    """Top-level names that a module imports."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [entry.name for node in nodes if isinstance(node, ast.Import) for entry in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_record_lists_every_file(content: dict[str, bytes]) -> None:
    record = f"hwgen_driver-{hwgen.__version__}.dist-info/RECORD"
    lines = content[record].decode().splitlines()
    assert lines.pop() == f"{record},,"
    expected = []
    for name, data in content.items():
        if name != record:
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            expected.append(f"{name},sha256={digest},{len(data)}")
    assert lines == expected


def test_the_driver_is_in_it_and_the_generator_is_not(content: dict[str, bytes]) -> None:
    for name in ("__init__", "errors", "driver/__init__", "rehearsal/__main__", "program/program"):
        assert f"hwgen/{name}.py" in content
    folders = {name.split("/")[1] for name in content if name.startswith("hwgen/")}
    assert not folders & {"cli", "compile", "design.py", "emit", "frontend", "report", "sim"}


def test_modules_import_only_what_a_board_has(content: dict[str, bytes]) -> None:
    for name, data in content.items():
        if name.endswith(".py") and name != "hwgen/__init__.py":
            allowed = BOARD | (REHEARSAL if name.startswith("hwgen/rehearsal/") else set())
            foreign = imported(data) - allowed - {"hwgen"} - sys.stdlib_module_names
            assert not foreign, f"{name} imports {foreign}"


def test_imports_are_followed(tmp_path: Path) -> None:
    sources = {
        "__init__": "from hwgen import generator",
        "generator": "",
        "driver/__init__": "import hwgen.plain\nfrom hwgen.package.named import thing",
        "driver/inner/__init__": "",
        "driver/inner/deep": "from ..relative import name\nfrom . import sibling",
        "driver/inner/sibling": "",
        "driver/relative": "def later():\n    from hwgen.package import lazy",
        "rehearsal/__main__": "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import hwgen.typed\nelse:\n    import hwgen.untyped",
        "package/__init__": "import numpy",
        "package/named": "import hwgen.second",
        "package/lazy": "",
        "package/unused": "",
        "plain": "",
        "second": "",
        "typed": "",
        "untyped": "",
    }
    for name, source in sources.items():
        path = tmp_path / "hwgen" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    unused = {"generator", "package/unused", "typed"}
    expected = sorted(f"hwgen/{name}.py" for name in sources.keys() - unused)
    assert wheel.driver_modules(tmp_path) == expected


def test_an_installation_makes_the_same_wheel_as_a_checkout(tmp_path: Path) -> None:
    """The installation is what pyproject.toml tells the build to put into hwgen's own wheel."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    ignore = shutil.ignore_patterns("__pycache__", "data")
    shutil.copytree(ROOT / "hwgen", tmp_path / "hwgen", ignore=ignore)
    for source, target in build["targets"]["wheel"]["force-include"].items():
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copyfile
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / source, tmp_path / target)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from hwgen.deploy.wheel import driver_wheel\n"
        "import hashlib, hwgen; print(hwgen.__file__, hashlib.sha256(driver_wheel()).hexdigest())"
    )
    digest = hashlib.sha256(wheel.driver_wheel()).hexdigest()
    found = run(Path(sys.executable), code, str(tmp_path))
    assert found == f"{tmp_path / 'hwgen' / '__init__.py'} {digest}\n"


def test_python_3_10_is_enough(content: dict[str, bytes], tmp_path: Path) -> None:
    """A type checker knows which names each version of Python has."""
    for name, data in content.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    command = [sys.executable, "-m", "mypy", "--python-version", "3.10", "--config-file", ""]
    command += ["--ignore-missing-imports", "--no-site-packages", "--cache-dir", "cache"]
    done = subprocess.run(
        [*command, "-p", "hwgen"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_it_installs_and_works_without_the_generator(
    content: dict[str, bytes], board_python: Path, tmp_path: Path
) -> None:
    path = tmp_path / wheel.NAME
    path.write_bytes(wheel.driver_wheel())
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall"]
    subprocess.run([board_python, "-I", *install, path], check=True)
    modules = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in content
        if name.endswith(".py") and not name.endswith("/__main__.py")
    ]
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "        print(name)\n"
        "    except ModuleNotFoundError as error:\n"
        "        print(name, error.name.partition('.')[0])\n"
    )
    lines = [line.split() for line in run(board_python, code, *modules).splitlines()]
    missing = {name: lack[0] for name, *lack in lines if lack}
    assert set(missing.values()) <= {"pynq"} | REHEARSAL, missing
    whole = {name for name, *lack in lines if not lack}
    assert {"hwgen.driver", "hwgen.driver.diagnosis", "hwgen.program.program"} <= whole
    assert not [name for name in missing if not name.startswith(wheel.ROOTS)]


def test_asking_the_driver_for_the_generator_is_answered(
    content: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "hwgen").mkdir()
    (tmp_path / "hwgen" / "__init__.py").write_bytes(content["hwgen/__init__.py"])
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "try:\n    from hwgen import build\nexcept ImportError as error:\n    print(error)"
    )
    found = run(Path(sys.executable), code, str(tmp_path))
    assert found.startswith("hwgen.build belongs to the generator, and only the driver is")
