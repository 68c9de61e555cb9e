# SPDX-License-Identifier: Apache-2.0
"""Data folders are found in a checkout and in a wheel."""

from pathlib import Path

import pytest

from hwgen import package_data
from hwgen.errors import HwgenError


def test_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (package_data.data_folder("templates") / "hls" / "run.tcl.j2").is_file()


def test_a_wheel_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "hwgen"
    (package / "_assets" / "boards").mkdir(parents=True)
    (tmp_path / "boards").mkdir()
    monkeypatch.setattr(package_data, "_PACKAGE", package)
    assert package_data.data_folder("boards") == package / "_assets" / "boards"
    with pytest.raises(HwgenError, match=r"'templates' is missing from this installation"):
        package_data.data_folder("templates")
