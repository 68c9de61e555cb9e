# SPDX-License-Identifier: Apache-2.0
"""``hwgen latency-table``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from hwgen.prune.latency import LatencyTable

Run = Callable[..., Result]
MODEL = ("latency-table", "preset:fashion-vit", "--level", "model")


def test_a_table_is_written_and_shown(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "latency.json"
    result = run(*MODEL, "--keep", "0.7,1,0.5", "--batch", 2, "-o", path)
    assert result.exit_code == 0, result.output
    table = LatencyTable.load(path)
    assert (table.keep_ratios, table.batch, table.blocks) == ((1.0, 0.7, 0.5), 2, 6)
    assert "fashion-vit, ms an image (300 MHz, batch 2)" in result.stdout
    for name in ("keep ratio", "block 1", "block 6", "selector", f"table: {path}"):
        assert name in result.stdout
    before = path.read_bytes()
    assert run(*MODEL, "--keep", "0.5,0.7", "--batch", 2, "-o", path).exit_code == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--keep", "1,half"), "--keep 1,half is no list of keep ratios"),
        (("--keep", "1,1.5"), "A keep ratio of 1.5 is not possible"),
        (("--keep", "0"), "keep ratios go from 0.0051 (one token) to 1"),
        (("--keep", "1"), "A latency table needs a keep ratio below 1"),
    ],
)
def test_impossible_ratios(run: Run, tmp_path: Path, words: tuple[str, str], message: str) -> None:
    path = tmp_path / "latency.json"
    result = run(*MODEL, *words, "-o", path)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_found_before_the_work(run: Run, tmp_path: Path) -> None:
    for path, message in (
        (tmp_path, "it is a folder"),
        (tmp_path / "no" / "latency.json", "there is no folder"),
    ):
        result = run("latency-table", "no-model.onnx", "-o", path)
        assert result.exit_code == 2
        assert message in " ".join(result.stderr.split())


def test_the_model_is_not_written_over(run: Run, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_text("a model")
    result = run("latency-table", model, "-o", model)
    assert result.exit_code == 2
    assert "is the model itself; name another file" in " ".join(result.stderr.split())
    assert model.read_text() == "a model"
