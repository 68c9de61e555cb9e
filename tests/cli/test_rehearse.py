# SPDX-License-Identifier: Apache-2.0
"""``hwgen rehearse``, with a script in the place of the board's Python.

What it runs in earnest is tested where pynq is: ``tests/driver/test_notebooks.py``.
"""

import io
import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from hwgen.archive import archive
from hwgen.deploy.manifest import Bitstream, Examples, Manifest, Predicted, Versions
from hwgen.emit.program_files import EngineFields, describe
from hwgen.program.engine import PROGRAM_VERSION, EngineConfig
from hwgen.sim import rehearse
from hwgen.sim.board_python import VARIABLE

Run = Callable[..., Result]

PASSED = 'echo "cell 1 of 2"; echo "cell 2 of 2"; echo "figure $5.png"'
ONE, TWO = "1_one.ipynb", "2_two.ipynb"


def package(engine: str = "rtl", notebooks: tuple[str, ...] = (ONE, TWO), **more: bytes) -> bytes:
    """A package with what a rehearsal needs of it, as a zip file."""
    files = {
        "hwgen.bit": b"none",
        "hwgen.hwh": b"none",
        "driver/hwgen_driver-1-py3-none-any.whl": archive({"hwgen/marker": b"of the package"}),
        **{f"notebooks/{name}": b"{}" for name in notebooks},
        **more,
    }
    config = EngineConfig()
    manifest = Manifest(
        name="small-zcu102",
        board="zcu102",
        part="a part",
        clock_mhz=300.0,
        engine=EngineFields(**vars(config), digest=config.digest),
        programs=("model",),
        bitstream=Bitstream(made_by="simulation", engine=engine, tool=None),
        versions=Versions(hwgen="0.1.0", program=PROGRAM_VERSION),
        predicted=Predicted(cycles=1, images_per_s=1.0, latency_ms=1.0),
        examples=Examples(real=False),
        files={name: describe(content) for name, content in files.items()},
    )
    named = {"manifest.json": manifest.to_json(), **files}
    return archive({f"small-zcu102/{name}": content for name, content in named.items()})


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    path = tmp_path / "small.zip"
    path.write_bytes(package())
    return path


@pytest.fixture(autouse=True)
def _no_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compiled."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(rehearse, "compile_rtl", lambda files, options, progress: Path("simulator"))


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., Path]:
    """Makes a board's Python that does what is said for a notebook and for a script."""

    def make(notebook: str = PASSED, script: str = "true") -> Path:
        path = tmp_path / "python"
        seen = shlex.quote(str(tmp_path / "seen"))
        path.write_text(
            "#!/bin/sh\n"
            '[ "$1" = -c ] && echo missing: && exit\n'
            f'echo "$2 $3 $4" >> {seen}\n'
            f'cat "$PYTHONPATH/hwgen/marker" >> {seen}\n'
            f'echo " $HWGEN_SIMULATOR $HWGEN_SIMULATED_BOARD" >> {seen}\n'
            f'case $2 in hwgen.rehearsal.notebook) ls "$HWGEN_PACKAGE/notebooks" >> {seen}\n'
            f"{notebook} ;;\n*) {script} ;; esac\n"
        )
        path.chmod(0o755)
        return path

    return make


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr[result.stderr.index("error: ") :].split())


def test_all_notebooks(run: Run, zipped: Path, tmp_path: Path, python: Callable[..., Path]) -> None:
    result = run("rehearse", zipped, "-o", tmp_path / "out", "--python", python())
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines() if "passed" in line]
    assert [(line[0], line[1], line[2], line[4]) for line in lines] == [
        (ONE, "2", "1", "passed"),
        (TWO, "2", "1", "passed"),
    ]
    assert f"folder: {tmp_path / 'out'}" in result.stdout
    # Each time the package's driver ran, and found simulator, board and package.
    seen = (tmp_path / "seen").read_text().splitlines()
    assert [line.split()[0] for line in seen[::4]] == ["hwgen.rehearsal.notebook"] * 2
    assert seen[1::4] == ["of the package simulator zcu102"] * 2
    assert seen[2:4] == [ONE, TWO]
    folder = Path(seen[0].split()[1])
    assert seen[0].split()[2] == str(folder / "notebooks" / ONE)
    assert not folder.exists()


def test_a_folder_and_one_of_its_notebooks(
    run: Run, zipped: Path, tmp_path: Path, python: Callable[..., Path]
) -> None:
    with zipfile.ZipFile(zipped) as packed:
        packed.extractall(tmp_path)
    folder = tmp_path / "small-zcu102"
    before = sorted(folder.rglob("*"))
    result = run("rehearse", folder, TWO, "-o", tmp_path / "out", "--python", python())
    assert result.exit_code == 0, result.output
    assert TWO in result.stdout and ONE not in result.stdout
    assert sorted(folder.rglob("*")) == before


def test_a_failing_cell(
    run: Run, zipped: Path, tmp_path: Path, python: Callable[..., Path]
) -> None:
    fails = (
        'echo "cell 1 of 2"\n'
        'case $4 in *one*) echo "error: 1_one.ipynb, cell 1 of 2 (load): oh" >&2\n'
        'echo "more of it" >&2\nexit 2 ;; esac'
    )
    result = run("rehearse", zipped, "-o", tmp_path / "out", "--python", python(fails))
    assert "1_one.ipynb, cell 1 of 2 (load): oh more of it" in refused(result)
    words = [line.split() for line in result.stdout.splitlines() if line.strip()]
    results = {line[0]: line[-1] for line in words}
    assert (results[ONE], results[TWO]) == ("failed", "passed")


def test_a_python_that_dies(
    run: Run, zipped: Path, tmp_path: Path, python: Callable[..., Path]
) -> None:
    dies = python("echo ModuleNotFoundError; exit 1")
    result = run("rehearse", zipped, ONE, "-o", tmp_path / "out", "--python", dies)
    message = refused(result)
    assert "1_one.ipynb ended with exit code 1. Its last lines: ModuleNotFoundError" in message


def test_a_script(run: Run, zipped: Path, tmp_path: Path, python: Callable[..., Path]) -> None:
    script = tmp_path / "mine.py"
    script.write_text("")
    left = tmp_path / "left.txt"
    command = ("rehearse", zipped, script, "-o", tmp_path / "out", "--python")
    result = run(*command, python(script="pwd; echo fine"))
    assert result.exit_code == 0, result.output
    out = tmp_path / "out"
    assert (out / "mine.txt").read_text() == f"{out}\nfine\n"
    result = run(*command, python(script="echo oh no; exit 3"))
    assert "mine.py ended with exit code 3. Its last lines: oh no" in refused(result)
    assert (out / "mine.txt").read_text() == "oh no\n"
    # Temporary files end with the rehearsal.
    run(*command, python(script=f'touch "$TMPDIR/it"; ls "$TMPDIR/it" > {left}'))
    assert not Path(left.read_text().strip()).exists()


def test_what_a_script_prints_is_written_as_it_goes(
    run: Run, zipped: Path, tmp_path: Path, python: Callable[..., Path]
) -> None:
    script = tmp_path / "mine.py"
    script.write_text("")
    board = python(script="echo first; sleep 0.5; cat mine.txt > seen.txt")
    # A script may lie where it writes: nothing takes its place.
    result = run("rehearse", zipped, script, "-o", tmp_path, "--python", board)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "seen.txt").read_text() == "first\n"
    assert script.read_text() == ""


def test_a_python_by_a_relative_path_or_by_its_name(
    run: Run,
    zipped: Path,
    tmp_path: Path,
    python: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board = python()
    board.rename(tmp_path / "board-python")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for name in ("./board-python", "board-python"):
        result = run("rehearse", zipped, ONE, "-o", tmp_path / "out", "--python", name)
        assert result.exit_code == 0, result.output


def test_only_the_exit_code_says_that_a_notebook_failed(
    run: Run, zipped: Path, tmp_path: Path, python: Callable[..., Path]
) -> None:
    board = python('echo "error: of some library"')
    result = run("rehearse", zipped, "-o", tmp_path / "out", "--python", board)
    assert result.exit_code == 0, result.output


def test_the_environment_names_a_python(
    run: Run,
    zipped: Path,
    tmp_path: Path,
    python: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, str(python()))
    assert run("rehearse", zipped, "-o", tmp_path / "out").exit_code == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("3_three.ipynb", f"There is no 3_three.ipynb, here or in the package. Notebooks of the "
         f"package: {ONE}, {TWO}."),
        ("report.html", "report.html is neither a notebook (.ipynb) nor a script (.py)."),
    ],
)  # fmt: skip
def test_names(run: Run, zipped: Path, tmp_path: Path, name: str, message: str) -> None:
    assert message in refused(run("rehearse", zipped, name, "-o", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_outputs_in_the_way(run: Run, zipped: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = refused(run("rehearse", zipped, "-o", tmp_path / "file"))
    assert "file is a file. Name a folder to write to." in message
    own = tmp_path / "own.ipynb"
    own.write_text("{}")
    message = refused(run("rehearse", zipped, own, "-o", tmp_path))
    assert "own.ipynb lies in the output folder" in message
    assert own.read_text() == "{}"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "own.py").write_text("")
    message = refused(run("rehearse", zipped, own, tmp_path / "other" / "own.py"))
    assert "Two of the files are named own." in message


def test_no_package(run: Run, tmp_path: Path) -> None:
    message = refused(run("rehearse", tmp_path / "none.zip"))
    assert "none.zip is no hwgen package: there is no such file or folder" in message
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(package()[:-40])
    assert "damaged.zip" in refused(run("rehearse", damaged))


def test_packages_without_what_is_needed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(package(**{"driver/other.whl": b""}))
    message = refused(run("rehearse", path, "-o", tmp_path / "out"))
    assert "holds 2 driver wheels. Package the design again" in message
    path.write_bytes(package(notebooks=()))
    message = refused(run("rehearse", path, "-o", tmp_path / "out"))
    assert "The package holds no notebooks. Name a notebook or a script to run." in message


def test_a_wheel_that_is_none(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(package(**{"driver/hwgen_driver-1-py3-none-any.whl": b"none"}))
    message = refused(run("rehearse", path, "-o", tmp_path / "out"))
    assert "hwgen_driver-1-py3-none-any.whl is damaged (File is not a zip file)." in message


def test_a_notebook_that_was_removed(
    run: Run, zipped: Path, tmp_path: Path, python: Callable[..., Path]
) -> None:
    less = tmp_path / "less.zip"
    with zipfile.ZipFile(zipped) as whole, zipfile.ZipFile(less, "w") as copy:
        for name in whole.namelist():
            if not name.endswith(ONE):
                copy.writestr(name, whole.read(name))
    result = run("rehearse", less, "-o", tmp_path / "out", "--python", python())
    assert result.exit_code == 0, result.output
    assert TWO in result.stdout and ONE not in result.stdout
    message = refused(run("rehearse", less, ONE, "-o", tmp_path / "out"))
    assert f"There is no {ONE}, here or in the package. Notebooks of the package: {TWO}." in message


def test_a_notebook_that_is_damaged(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    content = package()
    with zipfile.ZipFile(io.BytesIO(content)) as whole:
        start = whole.getinfo(f"small-zcu102/notebooks/{ONE}").header_offset
    place = content.index(b"{}", start)
    path.write_bytes(content[:place] + b"[" + content[place + 1 :])
    message = refused(run("rehearse", path, "-o", tmp_path / "out"))
    assert f"notebooks/{ONE} is damaged (Bad CRC-32" in message


def test_a_bitstream_of_the_other_engine(
    run: Run, tmp_path: Path, python: Callable[..., Path]
) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(package("hls"))
    result = run("rehearse", path, "-o", tmp_path / "out", "--python", python())
    assert result.exit_code == 0, result.output
    assert "warning: The package's bitstream holds the C++ engine" in result.stderr
