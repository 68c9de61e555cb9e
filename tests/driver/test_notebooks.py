# SPDX-License-Identifier: Apache-2.0
"""The notebooks as they are stored, and executed on the simulated board."""

import re
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from hwgen.errors import DataError
from hwgen.rehearsal.notebook import Executed, execute, main

FOLDER = Path(__file__).parents[2] / "boards" / "zcu102" / "notebooks"
FIGURES = {
    "1_first_inference": 2,
    "2_token_pruning": 3,
    "3_benchmark": 4,
    "4_bring_up": 0,
}


@pytest.fixture(scope="module")
def packages(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of packages by name."""
    folders = {}
    for name in ("fashion", "fashion_pruned", "fashion_batch"):
        folder = tmp_path_factory.mktemp(name)
        with zipfile.ZipFile(prepared / "packages" / f"{name}.zip") as packed:
            packed.extractall(folder)
        (folders[name],) = folder.iterdir()
    return folders


@pytest.fixture(autouse=True)
def _simulator(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWGEN_SIMULATOR", str(prepared / "simulators" / "fashion"))
    monkeypatch.delenv("HWGEN_SIMULATED_BOARD", raising=False)
    # What draws elsewhere must not draw here.
    monkeypatch.setenv("MPLBACKEND", "agg")


def printed(executed: Executed) -> str:
    outputs = [output for cell in executed.content.cells for output in cell.get("outputs", ())]
    return "".join(output["text"] for output in outputs if output["output_type"] == "stream")


# ---- As they are stored ----------------------------------------------------------------------


def test_reading_order() -> None:
    assert [path.stem for path in sorted(FOLDER.iterdir())] == list(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_stored_form(name: str) -> None:
    """One notebook has one form: nothing of a run, and what nbformat writes, sorted."""
    text = (FOLDER / f"{name}.ipynb").read_text()
    content = nbformat.reads(text, as_version=4)
    nbformat.validate(content)
    assert (content.nbformat, content.nbformat_minor) == (4, 5)
    assert content.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in content.cells:
        assert not cell.metadata
        assert not cell.get("outputs") and cell.get("execution_count") is None
        assert re.fullmatch(r"[a-z0-9-]+", cell.id)
    assert "<!-- SPDX-License-Identifier: Apache-2.0 -->" in content.cells[0].source
    assert not re.search(r"[\"' ]/(home|tmp|usr|root|work|opt)/", text)
    cleared = "Clear all outputs, and save the notebook with the cell ids it had."
    assert text == nbformat.writes(content) + "\n", cleared


def test_the_packages_hold_them(packages: dict[str, Path]) -> None:
    for folder in packages.values():
        for path in FOLDER.iterdir():
            assert (folder / "notebooks" / path.name).read_bytes() == path.read_bytes()


# ---- Executed --------------------------------------------------------------------------------


RUNS = [
    *((package, name) for package in ("fashion", "fashion_pruned") for name in FIGURES),
    ("fashion_batch", "2_token_pruning"),  # counts in runs, not in images
]


@pytest.mark.parametrize(("package", "name"), RUNS)
def test_on_the_simulated_board(
    packages: dict[str, Path], package: str, name: str, tmp_path: Path
) -> None:
    folder = packages[package]
    before = sorted(folder.rglob("*"))
    executed = execute(folder, folder / "notebooks" / f"{name}.ipynb", timeout_s=600)
    assert executed.error is None
    assert len(executed.figures) == FIGURES[name]
    assert all(figure.startswith(b"\x89PNG") for figure in executed.figures)
    assert "Traceback" not in printed(executed)
    assert sorted(folder.rglob("*")) == before
    CONTENT[name](printed(executed), package == "fashion_pruned")


def _first_inference(text: str, pruned: bool) -> None:
    found = re.search(r"All (\d+) outputs of (\d+) images equal the reference", text)
    assert found and int(found[1]) == 10 * int(found[2]) > 0
    ticks = re.search(r"The counter ran (\d+) times", text)
    assert ticks and int(ticks[1]) > 10


def _token_pruning(text: str, pruned: bool) -> None:
    assert ("keeps all patches" in text) == (not pruned)
    assert ("selector 2:" in text) == pruned
    assert re.search(r"[\d,]+ cycles a run on average", text)


def _benchmark(text: str, pruned: bool) -> None:
    assert "Simulated device: cycles are exact, seconds mean nothing." in text
    assert re.search(r"cycles +[\d,]+ +[\d,]+ a run", text)


def _bring_up(text: str, pruned: bool) -> None:
    assert "FAILED" not in text
    table = text[text.rindex("passed  device") :].splitlines()
    names = [line.split("  ")[1].strip() for line in table if line]
    assert names == [
        "device", "package", "bitstream", "clock 0", "identity", "idle", "register", "memory",
        "run by polling", "run by interrupt", "self-test", "numbers",
    ]  # fmt: skip


CONTENT = {
    "1_first_inference": _first_inference,
    "2_token_pruning": _token_pruning,
    "3_benchmark": _benchmark,
    "4_bring_up": _bring_up,
}

# ---- What goes wrong -------------------------------------------------------------------------


def notebook(path: Path, *sources: str) -> Path:
    cells = [new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources, 1)]
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.fixture
def package(packages: dict[str, Path]) -> Path:
    return packages["fashion"]


def test_a_cell_that_fails(package: Path, tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "mine.ipynb",
        "import os\nprint(os.environ['HWGEN_PACKAGE'])",
        "from hwgen.driver import Accelerator\nAccelerator.load('nowhere')",
        "print('never')",
    )
    executed = execute(package, path)
    assert executed.error is not None
    assert executed.error.startswith("mine.ipynb, cell 2 of 3 (cell-2): PackageError: ")
    assert "nowhere is no hwgen package" in executed.error
    assert printed(executed) == f"{package}\n"
    (error,) = [output for cell in executed.content.cells for output in cell.outputs][1:]
    assert error.output_type == "error" and error.ename == "PackageError"


def test_the_command(package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
    path = notebook(tmp_path / "mine.ipynb", draw, "1 / 0")
    written = tmp_path / "out" / "mine.ipynb"
    assert main([str(package), str(path), "-o", str(written)]) == 2
    out, err = capsys.readouterr()
    figure = written.with_name("mine_1.png")
    assert out == f"cell 1 of 2\ncell 2 of 2\nfigure {figure}\n"
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert err.startswith(
        "error: mine.ipynb, cell 2 of 2 (cell-2): ZeroDivisionError: division by zero\n"
    )
    assert str(written) in err
    assert code_cells(written)[1].outputs[0].ename == "ZeroDivisionError"
    assert main([str(package), str(notebook(path, "2 + 2")), "-o", str(written)]) == 0
    assert capsys.readouterr().out == "cell 1 of 1\n"
    assert code_cells(written)[0].outputs[0].data["text/plain"] == "4"


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def test_a_cell_without_end(package: Path, tmp_path: Path) -> None:
    path = notebook(tmp_path / "mine.ipynb", "import time\ntime.sleep(60)")
    error = execute(package, path, timeout_s=1).error
    assert error is not None
    assert "cell 1 of 1 (cell-1) was stopped after 1 seconds" in error
    assert "--timeout" in error


def test_a_kernel_that_dies(package: Path, tmp_path: Path) -> None:
    source = "import os, sys\nos.write(2, b'out of everything')\nos._exit(1)"
    error = execute(package, notebook(tmp_path / "mine.ipynb", source)).error
    assert error is not None
    assert "mine.ipynb, cell 1 of 1 (cell-1): the kernel ended" in error


def test_no_simulator(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HWGEN_SIMULATOR")
    error = execute(package, notebook(tmp_path / "mine.ipynb", "1")).error
    assert error is not None
    assert error.startswith("mine.ipynb, before its first cell: the kernel ended")
    assert "HWGEN_SIMULATOR is not set" in error


def test_no_notebook_and_no_package(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.ipynb"
    with pytest.raises(DataError, match=r"mine\.ipynb cannot be read: No such file"):
        execute(package, path)
    path.write_text("print('a script')")
    with pytest.raises(DataError, match=r"mine\.ipynb is no Jupyter notebook \(.*\)\. Name an"):
        execute(package, path)
    with pytest.raises(DataError, match=r"is no package: it has no manifest\.json"):
        execute(tmp_path, notebook(path, "1"))
    assert main([str(tmp_path), str(path), "-o", str(tmp_path / "out.ipynb")]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path} is no package")
    assert not (tmp_path / "out.ipynb").exists()
