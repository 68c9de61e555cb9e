# SPDX-License-Identifier: Apache-2.0
"""The driver as a wheel of its own, for boards: hwgen without the generator.

It is made from the files of this installation, so that package and driver are of one version.
"""

import ast
import base64
import hashlib
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import hwgen
from hwgen.archive import archive
from hwgen.package_data import data_folder

NAME = f"hwgen_driver-{hwgen.__version__}-py3-none-any.whl"
"""The wheel's file name."""

ROOTS = ("hwgen.driver", "hwgen.rehearsal")
"""Packages that the wheel holds whole, with all that they import of hwgen."""

_INFORMATION = f"hwgen_driver-{hwgen.__version__}.dist-info"
_METADATA = f"""\
Metadata-Version: 2.1
Name: hwgen-driver
Version: {hwgen.__version__}
Summary: Runs vision transformers on accelerators made by hwgen, from Python on the board
License: Apache-2.0
License-File: LICENSE
Requires-Python: >=3.10
Requires-Dist: numpy
Requires-Dist: pynq
"""
_WHEEL = f"""\
Wheel-Version: 1.0
Generator: hwgen {hwgen.__version__}
Root-Is-Purelib: true
Tag: py3-none-any
"""


def driver_wheel() -> bytes:
    """The wheel ``NAME``. The same hwgen gives the same bytes.

    Raises:
        OSError: a file of this installation cannot be read.
    """
    root = Path(hwgen.__file__).parent.parent
    files = {
        **{name: (root / name).read_bytes() for name in driver_modules(root)},
        f"{_INFORMATION}/LICENSE": (data_folder("boards").parent / "LICENSE").read_bytes(),
        f"{_INFORMATION}/METADATA": _METADATA.encode(),
        f"{_INFORMATION}/WHEEL": _WHEEL.encode(),
    }
    record = f"{_INFORMATION}/RECORD"
    lines = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items()]
    return archive({**files, record: "".join([*lines, f"{record},,\n"]).encode()})


def driver_modules(root: Path) -> list[str]:
    """Files of the driver, such as ``hwgen/driver/__init__.py``: ``ROOTS`` and what they import.

    Imports are followed as they stand in the source, those in functions too. ``hwgen`` itself
    imports the generator for whoever asks for it; these imports are not followed.

    Args:
        root: the folder that holds ``hwgen/``.
    """
    found: dict[str, Path] = {}
    waiting = [name for package in ROOTS for name in _inside(package, root)]
    while waiting:
        name = waiting.pop()
        path = _file(name, root)
        if name in found or path is None:
            continue
        found[name] = path
        if name != "hwgen":
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            imports = _Imports(package)
            imports.visit(ast.parse(path.read_bytes(), path))
            waiting += (part for module in imports.modules for part in _with_parents(module))
    return sorted(path.relative_to(root).as_posix() for path in found.values())


class _Imports(ast.NodeVisitor):
    """Collects names that a module of ``package`` imports; not all of them are modules."""

    def __init__(self, package: str) -> None:
        self.modules: list[str] = []
        self._package = package

    def visit_Import(self, node: ast.Import) -> None:
        self.modules += (entry.name for entry in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = resolve_name("." * node.level + (node.module or ""), self._package)
        self.modules += (f"{module}.{entry.name}" for entry in node.names)

    def visit_If(self, node: ast.If) -> None:
        """What is imported for type checkers alone is not needed."""
        checking = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for child in node.orelse if checking else ast.iter_child_nodes(node):
            self.visit(child)


def _inside(package: str, root: Path) -> Iterator[str]:
    """The modules of a package, and the packages it lies in."""
    for path in sorted((root / package.replace(".", "/")).rglob("*.py")):
        yield from _with_parents(".".join(path.relative_to(root).with_suffix("").parts))


def _with_parents(name: str) -> list[str]:
    parts = name.removesuffix(".__init__").split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _file(name: str, root: Path) -> Path | None:
    """The file of a module of hwgen; None where ``name`` is something else."""
    if name.partition(".")[0] != "hwgen":
        return None
    path = root / name.replace(".", "/")
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _digest(data: bytes) -> str:
    """SHA-256 as ``RECORD`` wants it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
