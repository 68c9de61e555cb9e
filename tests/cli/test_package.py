# SPDX-License-Identifier: Apache-2.0
"""``hwgen package``."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

Run = Callable[..., Result]


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return " ".join(result.stderr.split())


def test_a_package_is_written_and_shown(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("package", folder, "--images", 2)
    assert result.exit_code == 0, result.output
    path = tmp_path / "fashion-vit-zcu102.zip"
    assert [path] == list(tmp_path.iterdir())
    for text in ("fashion-vit-zcu102", "no bitstream: simulation only", "model, self_test"):
        assert text in result.stdout
    assert "random pixels" in result.stdout
    assert f"{path.stat().st_size:,}" in result.stdout
    assert "package: fashion-vit-zcu102.zip" in result.stdout
    warning = " ".join(result.stderr.split())
    assert f"simulation only until 'hwgen synth {folder}' has run" in warning


def test_it_is_replaced_by_the_same_bytes(run: Run, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "vit.zip"
    assert run("package", folder, "--images", 1, "-o", path).exit_code == 0
    before = path.read_bytes()
    assert run("package", folder, "--images", 1, "-o", path).exit_code == 0
    assert path.read_bytes() == before


def test_data_goes_in(run: Run, folder: Path, tmp_path: Path) -> None:
    data, path = tmp_path / "data.npz", tmp_path / "vit.zip"
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    np.savez(data, images=images, labels=np.arange(3))
    result = run("package", folder, "--data", data, "-o", path)
    assert result.exit_code == 0, result.output
    assert "random pixels" not in result.stdout
    with zipfile.ZipFile(path) as archive, archive.open("fashion-vit-zcu102/examples.npz") as file:
        assert np.array_equal(np.load(file)["images"], images[..., None])


def test_a_file_that_cannot_be_written_is_found_first(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder.zip").mkdir()
    for name, message in (
        ("vit", "vit is no name of a zip file. End it with .zip."),
        ("folder.zip", "folder.zip is a folder. Name a file to write."),
        ("no/vit.zip", f"there is no folder {tmp_path}/no"),
    ):
        assert message in refused(run("package", folder, "-o", tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == ["folder.zip"]


def test_another_file_is_replaced_by_force_alone(run: Run, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "holiday.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("beach.txt", "sand")
    before = path.read_bytes()
    message = refused(run("package", folder, "--images", 1, "-o", path))
    assert f"{path} is no package of hwgen, or a damaged one" in message
    assert path.read_bytes() == before
    assert run("package", folder, "--images", 1, "-o", path, "--force").exit_code == 0
    assert zipfile.ZipFile(path).namelist()[0] == "fashion-vit-zcu102/manifest.json"


def test_a_damaged_design_is_refused(run: Run, folder: Path, tmp_path: Path) -> None:
    copy, path = tmp_path / "copy", tmp_path / "vit.zip"
    shutil.copytree(folder, copy)
    weights = copy / "program" / "weights.bin"
    weights.write_bytes(weights.read_bytes()[::-1])
    message = refused(run("package", copy, "-o", path))
    assert f"{weights} does not have the SHA-256 that model.json states" in message
    assert "is no folder that hwgen wrote" in refused(run("package", tmp_path, "-o", path))
    assert not path.exists()


def test_data_that_does_not_fit_leaves_nothing(run: Run, folder: Path, tmp_path: Path) -> None:
    data, path = tmp_path / "data.npz", tmp_path / "vit.zip"
    np.savez(data, images=np.zeros((1, 32, 32, 3), np.uint8))
    message = refused(run("package", folder, "--data", data, "-o", path))
    assert "this model takes uint8 images of shape (N, 28, 28, 1)" in message
    assert "no.npz does not exist" in refused(
        run("package", folder, "--data", tmp_path / "no.npz", "-o", path)
    )
    assert not path.exists()


def test_help_has_examples(run: Run) -> None:
    result = run("package", "--help")
    assert result.exit_code == 0
    assert "hwgen package out --data test.npz" in result.stdout
