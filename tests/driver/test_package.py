# SPDX-License-Identifier: Apache-2.0
"""Packages: folders and zip files, whole, damaged, of other versions, and none at all."""

import json
import math
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Tiny
from tiny_package import describe_anew, zip_package

from hwgen.driver.errors import CorruptPackageError, PackageError, UnsupportedError
from hwgen.driver.package import open_package
from hwgen.driver.program_files import read_program

AGAIN = "Copy the package to the board again."


def change(package: Path, name: str, edit: Callable[[dict], object]) -> None:
    """Edits a JSON file."""
    data = json.loads((package / name).read_text())
    edit(data)
    (package / name).write_text(json.dumps(data))


def refused(path: Path) -> str:
    """The message for a package that is damaged."""
    with pytest.raises(CorruptPackageError) as error, open_package(path):
        pass
    return str(error.value)


def test_a_folder(tiny: Tiny) -> None:
    with open_package(tiny.package) as package:
        manifest = package.manifest
        assert (manifest.name, manifest.board) == ("tiny-ultra96v2", "ultra96v2")
        assert (manifest.clock_mhz, manifest.engine) == (250.0, tiny.program.engine)
        assert manifest.programs == ("model", "self_test")
        assert manifest.predicted.cycles == 1000 and not manifest.real_examples
        assert package.bitstream == tiny.package / "hwgen.bit"
        assert package.read("README.md") == b"tiny\n"


@pytest.mark.parametrize("root", ["tiny/", ""])
def test_a_zip_file_is_unpacked_while_it_is_open(tiny: Tiny, tmp_path: Path, root: str) -> None:
    path = zip_package(tiny.package, tmp_path / "tiny.zip", root)
    with open_package(path) as package:
        folder = package.folder
        assert folder != tiny.package and package.bitstream.is_file()
        files = read_program(package, "model")
    assert not folder.exists()
    assert files.input == tiny.program.input and files.output == tiny.program.output
    assert files.classes == tiny.program.classes
    assert files.program == tiny.program.image.tobytes()


def test_notebooks_may_change(tiny: Tiny, tmp_path: Path) -> None:
    (tiny.package / "notebooks" / "start.ipynb").write_text("edited")
    (tiny.package / "notes.txt").write_text("of a user")
    with open_package(tiny.package) as package:
        assert package.manifest.board == "ultra96v2"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "there is no such file or folder"),
        ("empty", "it has no manifest.json"),
        ("text", "it is neither a folder nor a zip file"),
        ("other.zip", "it holds no manifest.json at its top"),
    ],
)
def test_no_package(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("text")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a/b/manifest.json", "{}")
    expected = f"{tmp_path / name} is no hwgen package: {reason}."
    with pytest.raises(PackageError, match=re.escape(expected)), open_package(tmp_path / name):
        pass


@pytest.mark.parametrize(
    "name", ["hwgen.bit", "programs/model/weights.bin", "programs/self_test/checks.json"]
)
def test_the_file_that_is_damaged_is_named(tiny: Tiny, tmp_path: Path, name: str) -> None:
    path = tiny.package / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert refused(tiny.package) == (
        f"{path}: it has {len(whole) - 1} bytes, not {len(whole)}. {AGAIN}"
    )
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert refused(tiny.package) == (
        f"{path}: its SHA-256 is not the one in the manifest: it was changed. {AGAIN}"
    )
    path.unlink()
    assert refused(tiny.package) == f"{path}: this file of the package is missing. {AGAIN}"
    archive = zip_package(tiny.package, tmp_path / "tiny.zip")
    assert refused(archive) == f"{archive}: {name}: this file of the package is missing. {AGAIN}"


def test_a_file_that_cannot_be_read(tiny: Tiny) -> None:
    path = tiny.package / "hwgen.hwh"
    path.unlink()
    path.symlink_to(path)
    assert refused(tiny.package) == (
        f"Cannot read {path}: Too many levels of symbolic links. Make it readable, or copy it "
        "again."
    )


@pytest.mark.parametrize(
    ("name", "reason"), [("x" * 5000, "file name too long"), ("x\0y", "embedded null byte")]
)
def test_what_is_no_path(name: str, reason: str) -> None:
    expected = f"is no hwgen package: {reason}"
    with pytest.raises(PackageError, match=expected), open_package(Path(name)):
        pass


@pytest.mark.parametrize(("local", "central", "value"), [(6, 8, 1), (8, 10, 9)])
def test_a_zip_file_of_another_kind(
    tiny: Tiny, tmp_path: Path, local: int, central: int, value: int
) -> None:
    """Encrypted, or packed in a way that Python does not know."""
    path = zip_package(tiny.package, tmp_path / "tiny.zip")
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("tiny/hwgen.hwh")
    data = bytearray(path.read_bytes())
    data[entry.header_offset + local] = value
    data[data.rindex(b"tiny/hwgen.hwh") - 46 + central] = value
    path.write_bytes(data)
    assert refused(path).startswith(f"{path}: the zip file is damaged (")


def test_a_file_without_end(tiny: Tiny) -> None:
    path = tiny.package / "hwgen.bit"
    size = path.stat().st_size
    path.unlink()
    path.symlink_to("/dev/zero")
    assert refused(tiny.package) == f"{path}: it has more than {size} bytes. {AGAIN}"


@pytest.mark.parametrize("clock", [0, -1, math.inf])
def test_a_clock_that_is_none(tiny: Tiny, clock: float) -> None:
    change(tiny.package, "manifest.json", lambda data: data.update({"clock_mhz": clock}))
    assert "clock_mhz is" in refused(tiny.package)


@pytest.mark.parametrize("cut", [100, 2000])
def test_a_zip_file_cut_short(tiny: Tiny, tmp_path: Path, cut: int) -> None:
    path = zip_package(tiny.package, tmp_path / "tiny.zip")
    path.write_bytes(path.read_bytes()[:-cut])
    assert refused(path) == f"{path}: the zip file is damaged (File is not a zip file). {AGAIN}"


def test_a_zip_file_with_wrong_bytes(tiny: Tiny, tmp_path: Path) -> None:
    path = zip_package(tiny.package, tmp_path / "tiny.zip")
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("tiny/hwgen.hwh")
    data = bytearray(path.read_bytes())
    middle = entry.header_offset + entry.compress_size // 2
    data[middle] ^= 0xFF
    path.write_bytes(data)
    assert refused(path).startswith(f"{path}: the zip file is damaged (")


def test_a_zip_file_that_would_fill_the_disk(tiny: Tiny, tmp_path: Path) -> None:
    (tiny.package / "hwgen.bit").write_bytes(bytes(1 << 20))
    path = zip_package(tiny.package, tmp_path / "tiny.zip")
    assert refused(path) == (
        f"{path}: hwgen.bit: it has another size than the manifest says. {AGAIN}"
    )


def test_a_disk_that_is_full(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zip_package(tiny.package, tmp_path / "tiny.zip")

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", full)
    expected = f"Cannot unpack {path}: No space left on device. Unpack it yourself"
    with pytest.raises(PackageError, match=re.escape(expected)), open_package(path):
        pass


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a//b", "a\\..\\b", "programs/../../x", ".", "a\0b"]
)
def test_paths_stay_inside(tiny: Tiny, name: str) -> None:
    entry = {"bytes": 1, "sha256": "0"}
    change(tiny.package, "manifest.json", lambda data: data["files"].update({name: entry}))
    assert f"it names the file {name!r}, which is no path inside the package" in refused(
        tiny.package
    )


@pytest.mark.parametrize("place", ["version", "program"])
def test_another_version(tiny: Tiny, place: str) -> None:
    def edit(data: dict) -> None:
        (data if place == "version" else data["versions"])[place] = 7

    change(tiny.package, "manifest.json", edit)
    expected = "Install the wheel that is in the package's 'driver' folder."
    with (
        pytest.raises(PackageError, match=f"version.* 7.*{expected}"),
        open_package(tiny.package),
    ):
        pass


def test_another_format(tiny: Tiny) -> None:
    change(tiny.package, "manifest.json", lambda data: data.update(format="hwgen-files"))
    with (
        pytest.raises(PackageError, match="does not describe a hwgen package"),
        open_package(tiny.package),
    ):
        pass


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda d: d.pop("board"), "board is missing"),
        (lambda d: d.update(board=3), "board is 3, not a text"),
        (lambda d: d.update(clock_mhz=True), "clock_mhz is True, not a number"),
        (lambda d: d.update(programs=["model", 1]), "programs is not a list of texts"),
        (lambda d: d.update(programs="model"), "programs is 'model', not a list of texts"),
        (lambda d: d["engine"].pop("lanes"), "engine: lanes is missing"),
        (lambda d: d["engine"].update(lanes=17), "the array comes in 16, 32 or 64 lanes"),
        (lambda d: d["engine"].update(max_rows=5), "it states the engine digest"),
        (lambda d: d["files"].pop("hwgen.bit"), "it does not list hwgen.bit"),
        (lambda d: d["files"].update({"a": 1}), "files: a is 1, not an object"),
        (lambda d: d["examples"].update(real="no"), "examples: real is 'no', not true or false"),
    ],
)
def test_a_damaged_manifest(tiny: Tiny, edit: Callable[[dict], object], reason: str) -> None:
    change(tiny.package, "manifest.json", edit)
    message = refused(tiny.package)
    assert message.startswith(f"{tiny.package / 'manifest.json'}: ") and reason in message
    assert message.endswith(AGAIN)


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000])
def test_a_manifest_that_is_no_json_object(tiny: Tiny, text: str) -> None:
    (tiny.package / "manifest.json").write_text(text)
    assert "manifest.json: it is not " in refused(tiny.package)


def test_a_program_that_is_not_there(tiny: Tiny) -> None:
    with (
        open_package(tiny.package) as package,
        pytest.raises(UnsupportedError, match="has no program 'selections'; it has model, "),
    ):
        read_program(package, "selections")


@pytest.mark.parametrize(
    ("edit", "kind", "reason"),
    [
        (lambda d: d.update(version=2), PackageError, "of another format than this driver reads"),
        (lambda d: d["input"].pop("patch"), CorruptPackageError, "input: patch is missing"),
        (lambda d: d["output"].update(scale="x"), CorruptPackageError, "scale is 'x', not a"),
    ],
)
def test_a_damaged_model(
    tiny: Tiny, edit: Callable[[dict], object], kind: type[Exception], reason: str
) -> None:
    change(tiny.package, "programs/model/model.json", edit)
    describe_anew(tiny.package, "programs/model/model.json")
    with open_package(tiny.package) as package, pytest.raises(kind, match=reason):
        read_program(package, "model")


def test_a_model_for_another_engine(tiny: Tiny, tiny_hls: Tiny) -> None:
    model = "programs/model/model.json"
    shutil.copy(tiny.package / model, tiny_hls.package / model)
    describe_anew(tiny_hls.package, model)
    with (
        open_package(tiny_hls.package) as package,
        pytest.raises(CorruptPackageError, match="it is for another engine than the package"),
    ):
        read_program(package, "model")


def test_a_package_that_goes_away(tiny: Tiny) -> None:
    with open_package(tiny.package) as package:
        shutil.rmtree(tiny.package)
        with pytest.raises(CorruptPackageError, match="this file of the package is missing"):
            package.read("hwgen.bit")
        with pytest.raises(CorruptPackageError, match="it does not list other"):
            package.read("other")
