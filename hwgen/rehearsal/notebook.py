# SPDX-License-Identifier: Apache-2.0
"""Runs a notebook of a package on the simulated board.

``python -m hwgen.rehearsal.notebook PACKAGE NOTEBOOK -o EXECUTED`` writes the executed notebook and
its figures beside it; ``HWGEN_SIMULATOR`` names the simulator, as for ``python -m
hwgen.rehearsal``. It prints a line for each cell that begins, such as ``cell 3 of 8``, and for
each figure, such as ``figure out/name_1.png``.
"""

import argparse
import atexit
import base64
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

from hwgen.errors import DataError, HwgenError, RehearsalError
from hwgen.whole_file import write_whole

CELL_TIMEOUT_S = 900
PACKAGE = "HWGEN_PACKAGE"
"""The environment variable that tells a notebook or script where its package is."""

Progress = Callable[[int, int], None]
"""Called with the number of the code cell that begins, from 1, and the number of all."""

_KERNEL = "hwgen-rehearsal"
_INLINE = "module://matplotlib_inline.backend_inline"
"""Where matplotlib draws in a notebook, whatever the environment says."""
_TAIL_BYTES = 2000
_EXIT_ERROR = 2


@dataclass(frozen=True)
class Executed:
    """A notebook after its run, as far as it came.

    Attributes:
        content: the notebook with its outputs.
        error: what stopped it, one message; None: it ran to its end.
    """

    content: NotebookNode
    error: str | None

    @property
    def text(self) -> bytes:
        """The content of an ``.ipynb`` file."""
        return nbformat.writes(self.content).encode()

    @property
    def figures(self) -> list[bytes]:
        """The PNG pictures among the outputs, in order."""
        outputs = [output for cell in _code(self.content) for output in cell.get("outputs", ())]
        found = [output["data"].get("image/png") for output in outputs if "data" in output]
        return [base64.b64decode(picture) for picture in found if picture]

    def write(self, path: Path) -> list[Path]:
        """Writes the notebook, and its figures as ``<stem>_1.png`` and so on beside it.

        Returns:
            The files of the figures.

        Raises:
            OSError: the folder cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        written = []
        for number, picture in enumerate(self.figures, 1):
            written.append(path.with_name(f"{path.stem}_{number}.png"))
            write_whole(written[-1], picture)
        write_whole(path, self.text)
        return written


def execute(
    package: Path,
    notebook: Path,
    *,
    timeout_s: int = CELL_TIMEOUT_S,
    progress: Progress | None = None,
) -> Executed:
    """Runs a notebook in the folder that it lies in, with a simulated device active.

    Args:
        package: the folder of the package, which the notebook finds in ``HWGEN_PACKAGE``.
        timeout_s: seconds that one cell may take.

    Raises:
        DataError: the package or the notebook is missing, or no notebook.
    """
    if not (package / "manifest.json").is_file():
        raise DataError(
            f"{package} is no package: it has no manifest.json. Name the folder of a package that "
            "'hwgen package' wrote, unpacked."
        )
    content = _read(notebook)
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as messages:
        manager = AsyncKernelManager(
            kernel_name=_KERNEL, kernel_spec_manager=_kernel_specs(Path(scratch), package)
        )
        run = _Run(content, progress)
        client = NotebookClient(
            content,
            km=manager,
            timeout=timeout_s,
            resources={"metadata": {"path": str(notebook.resolve().parent)}},
            on_cell_execute=run.begin,
        )
        return Executed(content, run.result(client, messages, timeout_s, notebook.name))


class _Run:
    """Which cell a run has reached."""

    def __init__(self, content: NotebookNode, progress: Progress | None) -> None:
        self._code = _code(content)
        self._progress = progress
        self._cell: NotebookNode | None = None

    def begin(self, cell: NotebookNode, cell_index: int) -> None:
        """Called by the client, for cells of text too."""
        if cell.cell_type == "code":
            self._cell = cell
            if self._progress is not None:
                self._progress(self._number, len(self._code))

    @property
    def _number(self) -> int:
        return next(n for n, cell in enumerate(self._code, 1) if cell is self._cell)

    def result(
        self, client: NotebookClient, messages: IO[bytes], timeout_s: int, name: str
    ) -> str | None:
        """Runs all cells; what stopped the run, or None."""
        try:
            # Standard output is for our own lines.
            client.execute(cleanup_kc=True, stdout=messages, stderr=messages)
        except CellExecutionError as error:
            return f"{name}, {self._place}: {error.ename}: {error.evalue}"
        except CellTimeoutError:
            return (
                f"{name}, {self._place} was stopped after {timeout_s} seconds. Simulation is slow: "
                "take fewer images, or give it more time with --timeout."
            )
        except RuntimeError as error:  # the client's: the kernel died, or did not start
            # Left behind by a client whose kernel did not start; it would fail at exit.
            atexit.unregister(client._cleanup_kernel)
            return f"{name}, {self._place}: the kernel ended ({error}).{_tail(messages)}"
        return None

    @property
    def _place(self) -> str:
        if self._cell is None:
            return "before its first cell"
        return f"cell {self._number} of {len(self._code)} ({self._cell.id})"


def _kernel_specs(folder: Path, package: Path) -> KernelSpecManager:
    """Knows one kernel: this Python with a simulated device."""
    spec = {
        "argv": [sys.executable, "-m", "hwgen.rehearsal.kernel", "-f", "{connection_file}"],
        "display_name": "Python 3 on a simulated board",
        "language": "python",
        "env": {PACKAGE: str(package.resolve()), "MPLBACKEND": _INLINE},
    }
    (folder / _KERNEL).mkdir()
    (folder / _KERNEL / "kernel.json").write_text(json.dumps(spec))
    return KernelSpecManager(kernel_dirs=[str(folder)])


def _read(path: Path) -> NotebookNode:
    try:
        content = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(content)
    except OSError as error:
        raise DataError(f"The notebook {path} cannot be read: {error.strerror}.") from None
    except (ValueError, nbformat.ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} is no Jupyter notebook ({reason}). Name an .ipynb file.") from None
    return content


def _code(content: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in content.cells if cell.cell_type == "code"]


def _tail(messages: IO[bytes]) -> str:
    """The end of what the kernel wrote past its outputs, as the end of a message."""
    size = messages.seek(0, 2)
    messages.seek(max(0, size - _TAIL_BYTES))
    text = messages.read().decode(errors="replace").strip()
    return f" Its last words:\n{text}" if text else " It printed nothing."


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit code 0, or 2 with a message on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m hwgen.rehearsal.notebook",
        description="Runs a notebook of a package on the simulated board.",
    )
    parser.add_argument("package", type=Path, help="folder of the package")
    parser.add_argument("notebook", type=Path, help="an .ipynb file")
    parser.add_argument("-o", "--output", type=Path, required=True, help="executed notebook")
    parser.add_argument(
        "--timeout", type=int, default=CELL_TIMEOUT_S, help="seconds that one cell may take"
    )
    given = parser.parse_args(arguments)
    try:
        executed = execute(
            given.package,
            given.notebook,
            timeout_s=given.timeout,
            progress=lambda cell, cells: print(f"cell {cell} of {cells}", flush=True),
        )
        for figure in executed.write(given.output):
            print(f"figure {figure}", flush=True)
        if executed.error is not None:
            raise RehearsalError(
                f"{executed.error}\nThe notebook as far as it came, with the traceback, is "
                f"{given.output}."
            )
    except HwgenError as error:
        print(f"error: {error}", file=sys.stderr)
        return _EXIT_ERROR
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}.", file=sys.stderr)
        return _EXIT_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())
