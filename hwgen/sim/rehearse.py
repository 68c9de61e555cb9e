# SPDX-License-Identifier: Apache-2.0
"""Runs a package's notebooks, or scripts, with the package's own driver on the simulated board."""

import io
import logging
import re
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hwgen.driver.manifest import NAME as MANIFEST
from hwgen.driver.package import NOTEBOOKS, Package, open_package
from hwgen.emit.rtl import FOLDER, rtl_project
from hwgen.errors import ConfigError, DataError, OutputError
from hwgen.progress import Progress
from hwgen.sim.board_python import board_python
from hwgen.sim.process import Finished, last_lines, run_process
from hwgen.sim.rtl_build import Options, compile_rtl

NOTEBOOK, SCRIPT = ".ipynb", ".py"
CELL_TIMEOUT_S = 900
RUN_TIMEOUT_S = 6 * 3600.0

HLS = (
    "The package's bitstream holds the C++ engine. What is simulated is the SystemVerilog engine, "
    "which has the same registers and gives the same numbers; its cycles are its own."
)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rehearsed:
    """What one notebook or script did.

    Attributes:
        cells: code cells that were run; None for a script.
        written: the executed notebook, or what the script printed.
        figures: the PNG files of a notebook's figures.
        error: what stopped it, one message; None: it ran to its end.
    """

    name: str
    cells: int | None
    seconds: float
    written: Path
    figures: tuple[Path, ...]
    error: str | None


@dataclass(frozen=True)
class _Board:
    """What a rehearsal runs on.

    Attributes:
        python: the interpreter that stands for the board's.
        package: the package's folder.
        environment: variables that name the simulator and make the package's driver importable.
    """

    python: Path
    package: Path
    environment: dict[str, str]


@dataclass
class _Answers:
    """The lines of ``hwgen.rehearsal.notebook``."""

    progress: Progress
    name: str
    cells: int = 0
    figures: list[Path] = field(default_factory=list)
    error: list[str] = field(default_factory=list)

    def take(self, line: str) -> None:
        cell = re.fullmatch(r"cell (\d+) of (\d+)", line)
        if self.error or line.startswith("error: "):
            self.error.append(line.removeprefix("error: "))
        elif cell:
            self.cells = int(cell[1])
            self.progress(self.name, self.cells, int(cell[2]))
        elif line.startswith("figure "):
            self.figures.append(Path(line.removeprefix("figure ")))


def rehearse(
    path: Path,
    names: Sequence[str],
    output: Path,
    progress: Progress,
    *,
    python: Path | None = None,
    twin: bool = False,
    timeout_s: int = CELL_TIMEOUT_S,
) -> list[Rehearsed]:
    """Runs notebooks and scripts one after the other; one that fails does not stop the next.

    Args:
        path: of a package, folder or zip file.
        names: paths of notebooks and scripts, or names of notebooks in the package; all of the
            package's notebooks where empty.
        output: folder for executed notebooks, their figures, and what scripts print.
        python: the interpreter that stands for the board's, see ``board_python``.
        twin: the array's multipliers are their C++ twin, several times as fast.
        timeout_s: seconds that one cell may take.

    Raises:
        PackageError, CorruptPackageError: there is no package, or it is damaged.
        DataError, ConfigError, OutputError: a name is none of a notebook or script, or an output
            would take the place of something else.
        ToolError: the simulator cannot be compiled, or there is no Python for it.
    """
    with _opened(path) as package, _scratch() as scratch:
        if package.manifest.bitstream.engine == "hls":
            _LOG.warning(HLS)
        targets = [_target(name, package) for name in names] or _all_notebooks(package)
        _check(targets, output)
        driver = scratch / "driver"
        _unpack_driver(package, driver)
        interpreter = board_python(python, progress)
        progress("compiling RTL", 0, 0)
        simulator = compile_rtl(
            {
                name.removeprefix(f"{FOLDER}/"): data
                for name, data in rtl_project(package.manifest.engine).items()
            },
            Options(twin),
            lambda done, total: progress("compiling RTL", done, total),
        )
        environment = {
            "PYTHONPATH": str(driver),
            "TMPDIR": str(scratch),
            "HWGEN_SIMULATOR": str(simulator),
            "HWGEN_SIMULATED_BOARD": package.manifest.board,
            "HWGEN_PACKAGE": str(package.folder.resolve()),
        }
        output.mkdir(parents=True, exist_ok=True)
        board = _Board(interpreter, package.folder.resolve(), environment)
        return [
            _run_notebook(board, target, output, progress, timeout_s)
            if target.suffix == NOTEBOOK
            else _run_script(board, target, output, progress)
            for target in targets
        ]


def _run_notebook(
    board: _Board, notebook: Path, output: Path, progress: Progress, timeout_s: int
) -> Rehearsed:
    written = output / notebook.name
    answers = _Answers(progress, notebook.name)
    progress(notebook.name, 0, 0)
    start = time.monotonic()
    finished = run_process(
        [
            board.python, "-m", "hwgen.rehearsal.notebook", board.package, notebook.resolve(),
            "--output", written.resolve(), "--timeout", str(timeout_s),
        ],
        what=notebook.name,
        timeout_s=RUN_TIMEOUT_S,
        # Python looks for modules in the current folder first, and the driver must not be there.
        directory=board.package,
        environment=board.environment,
        on_line=answers.take,
    )  # fmt: skip
    error = None
    if finished.code:
        error = "\n".join(answers.error) or _ended(notebook, finished)
    figures = tuple(output / figure.name for figure in answers.figures)
    seconds = time.monotonic() - start
    return Rehearsed(notebook.name, answers.cells, seconds, written, figures, error)


def _run_script(board: _Board, script: Path, output: Path, progress: Progress) -> Rehearsed:
    written = output / f"{script.stem}.txt"
    progress(script.name, 0, 0)
    start = time.monotonic()
    # As it goes: whoever waits, or stops it, can see what it printed.
    with written.open("w", encoding="utf-8") as stream:
        finished = run_process(
            [board.python, "-m", "hwgen.rehearsal", script.resolve()],
            what=script.name,
            timeout_s=RUN_TIMEOUT_S,
            directory=output,
            environment={**board.environment, "PYTHONUNBUFFERED": "1"},
            on_line=lambda line: print(line, file=stream, flush=True),
        )
    error = _ended(script, finished) if finished.code else None
    return Rehearsed(script.name, None, time.monotonic() - start, written, (), error)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for the driver, and for the temporary files of what is run: a kernel that had to be
    killed leaves some.
    """
    with tempfile.TemporaryDirectory(prefix="hwgen-rehearsal-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _ended(target: Path, finished: Finished) -> str:
    return f"{target.name} ended with exit code {finished.code}.{last_lines(finished.tail)}"


@contextmanager
def _opened(path: Path) -> Iterator[Package]:
    """The package, its notebooks with it, which a driver has no use for."""
    with open_package(path) as package:
        if not path.is_dir():
            _unpack_notebooks(path, package)
        yield package


def _unpack_notebooks(path: Path, package: Package) -> None:
    """Unpacks those that are there: whoever changes notebooks may remove some."""
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        manifest = min(
            (n for n in names if n.rpartition("/")[2] == MANIFEST), key=lambda n: n.count("/")
        )
        for name in _listed_notebooks(package):
            member, target = manifest.removesuffix(MANIFEST) + name, package.folder / name
            if member in names:
                target.parent.mkdir(parents=True, exist_ok=True)
                with _damage_told(f"{path}: {name}"):
                    target.write_bytes(archive.read(member))


def _unpack_driver(package: Package, folder: Path) -> None:
    """Unpacks the package's wheel: an environment that two rehearsals share stays as it is."""
    wheels = [name for name in package.manifest.files if re.match(r"driver/.*\.whl$", name)]
    if len(wheels) != 1:
        raise DataError(
            f"The package holds {len(wheels) or 'no'} driver wheels. Package the design again with "
            "'hwgen package'."
        )
    with (
        _damage_told(wheels[0]),
        zipfile.ZipFile(io.BytesIO(package.read(wheels[0]))) as archive,
    ):
        archive.extractall(folder)


@contextmanager
def _damage_told(what: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{what} is damaged ({error}). Package the design again with 'hwgen package'."
        ) from None


def _listed_notebooks(package: Package) -> list[str]:
    names = package.manifest.files
    return sorted(n for n in names if n.startswith(NOTEBOOKS) and n.endswith(NOTEBOOK))


def _notebooks(package: Package) -> list[Path]:
    paths = (package.folder / name for name in _listed_notebooks(package))
    return [path for path in paths if path.is_file()]


def _all_notebooks(package: Package) -> list[Path]:
    found = _notebooks(package)
    if not found:
        raise DataError("The package holds no notebooks. Name a notebook or a script to run.")
    return found


def _target(name: str, package: Package) -> Path:
    """A notebook or script by its path, or a notebook of the package by its name."""
    path, own = Path(name), package.folder / NOTEBOOKS / name
    if path.suffix not in (NOTEBOOK, SCRIPT):
        raise ConfigError(
            f"{name} is neither a notebook ({NOTEBOOK}) nor a script ({SCRIPT}). Name one of these."
        )
    found = next((place for place in (path, own) if place.is_file()), None)
    if found is None:
        names = ", ".join(entry.name for entry in _notebooks(package)) or "none"
        raise DataError(
            f"There is no {name}, here or in the package. Notebooks of the package: {names}."
        )
    return found


def _check(targets: Sequence[Path], output: Path) -> None:
    """Refuses outputs that would take the place of something else.

    Raises:
        OutputError: says of what.
    """
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file. Name a folder to write to.")
    names = [target.stem for target in targets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise OutputError(f"Two of the files are named {twice}. Rename one of them.")
    for target in targets:
        place = output / target.name
        if target.suffix == NOTEBOOK and place.exists() and place.samefile(target):
            raise OutputError(
                f"{target} lies in the output folder, and the executed notebook would take its "
                "place. Name another folder with -o."
            )
