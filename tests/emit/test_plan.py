# SPDX-License-Identifier: Apache-2.0
"""A BuildPlan writes everything or nothing, and never over a user's work."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from hwgen.emit.plan import MANIFEST, BuildPlan, update_files
from hwgen.errors import OutputError

FILES = {"a.txt": b"alpha", "sub/b.bin": b"\x00\x01", "sub/deep/c": b""}


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_equal_plans_have_equal_digests_and_archives() -> None:
    first, second = BuildPlan(FILES), BuildPlan(dict(FILES))
    assert first.digest() == second.digest()
    assert first.archive() == second.archive()
    assert first.digest() == BuildPlan(dict(reversed(FILES.items()))).digest()
    assert first.digest() != BuildPlan({**FILES, "a.txt": b"beta"}).digest()
    renamed = {"z.txt": b"alpha", "sub/b.bin": b"\x00\x01", "sub/deep/c": b""}
    assert first.digest() != BuildPlan(renamed).digest()


def test_the_archive_holds_every_file_and_the_manifest() -> None:
    plan = BuildPlan(FILES)
    with zipfile.ZipFile(io.BytesIO(plan.archive())) as archive:
        assert archive.namelist() == [*FILES, MANIFEST]
        assert archive.read("a.txt") == b"alpha"
        assert archive.read(MANIFEST) == plan.manifest()


@pytest.mark.parametrize(
    "name",
    ["/a", "../a", "a/../b", "a//b", "./a", ".", "", "a/", "a\\b", "C:a", "a\nb", "\\\\host\\x"],
)
def test_names_that_could_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(OutputError, match="is no file name for a build"):
        BuildPlan({name: b""})


def test_colliding_and_reserved_names_are_refused() -> None:
    with pytest.raises(OutputError, match="^'a' is both a file and a folder of the build.$"):
        BuildPlan({"a": b"", "a/b": b""})
    with pytest.raises(OutputError, match="is reserved"):
        BuildPlan({MANIFEST: b""})


def test_the_plan_does_not_follow_changes_of_the_mapping() -> None:
    files = dict(FILES)
    plan = BuildPlan(files)
    files["late"] = b""
    assert "late" not in plan.files


def test_write_makes_the_folder_and_its_manifest(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "build"
    BuildPlan(FILES).write(target)
    assert names(target) == {*FILES, MANIFEST}
    manifest = json.loads((target / MANIFEST).read_bytes())
    assert manifest["files"]["a.txt"]["bytes"] == 5
    assert [p.name for p in target.parent.iterdir()] == ["build"]


def test_a_file_to_copy_equals_its_bytes(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(b"x" * 100_000)
    copied, inline = BuildPlan({"m": source}), BuildPlan({"m": b"x" * 100_000})
    assert copied.digest() == inline.digest()
    assert copied.archive() == inline.archive()
    copied.write(tmp_path / "out")
    assert (tmp_path / "out" / "m").read_bytes() == source.read_bytes()


def test_a_file_that_changes_while_copied_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(b"before")
    plan = BuildPlan({"m": source})
    plan.digest()
    source.write_bytes(b"after!")
    with pytest.raises(OutputError, match=r"model\.onnx changed while it was copied"):
        plan.write(tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_writing_again_replaces_an_untouched_folder(tmp_path: Path) -> None:
    target = tmp_path / "build"
    BuildPlan(FILES).write(target)
    BuildPlan({"new.txt": b"new"}).write(target)
    assert names(target) == {"new.txt", MANIFEST}
    (target / "new.txt").unlink()  # a deleted file is no loss
    BuildPlan(FILES).write(target)
    assert names(target) == {*FILES, MANIFEST}


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    BuildPlan(FILES).write(tmp_path / "build")
    assert names(tmp_path / "build") == {*FILES, MANIFEST}


def test_a_folder_of_others_is_refused_and_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "home"
    target.mkdir()
    for name in ("1", "2", "3", "4"):
        (target / name).write_text("mine")
    with pytest.raises(OutputError, match=r"edited since: 1, 2, 3 and 1 more\. Nothing was writt"):
        BuildPlan(FILES).write(target)
    assert names(target) == {"1", "2", "3", "4"}
    assert [p.name for p in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize("name", ["a.txt", "sub/notes.md"])
def test_an_edited_or_added_file_is_named(tmp_path: Path, name: str) -> None:
    target = tmp_path / "build"
    BuildPlan(FILES).write(target)
    (target / name).write_text("edite")  # as long as before: only the digest tells
    with pytest.raises(OutputError, match=f"edited since: {name}. Nothing was written"):
        BuildPlan(FILES).write(target)
    assert (target / name).read_text() == "edite"


def test_a_damaged_manifest_protects_everything(tmp_path: Path) -> None:
    target = tmp_path / "build"
    BuildPlan({"a": b""}).write(target)
    (target / MANIFEST).write_text("{")
    with pytest.raises(OutputError, match=f"edited since: a, {MANIFEST}"):
        BuildPlan({"a": b""}).write(target)


def test_force_replaces_edited_files_and_keeps_foreign_ones(tmp_path: Path) -> None:
    target = tmp_path / "build"
    BuildPlan(FILES).write(target)
    (target / "a.txt").write_text("edited")
    (target / "sub" / "deep" / "notes.md").write_text("mine")
    (target / "link").symlink_to(tmp_path)
    (target / "sub" / "b.bin").write_bytes(b"edited, and not in the next build")
    BuildPlan({"a.txt": b"alpha"}).write(target, force=True)
    assert (target / "a.txt").read_bytes() == b"alpha"
    assert (target / "sub" / "deep" / "notes.md").read_text() == "mine"
    assert (target / "sub" / "b.bin").exists()
    assert (target / "link").is_symlink()
    assert not (target / "sub" / "deep" / "c").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["build"]


def test_a_file_in_the_way_and_the_current_folder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file. Name a folder to write to."):
        BuildPlan(FILES).write(tmp_path / "file")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(OutputError, match="is the current folder or holds it"):
        BuildPlan(FILES).write(Path())


def test_a_failure_half_way_leaves_the_earlier_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "build"
    BuildPlan(FILES).write(target)
    write_bytes = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "second":
            raise OSError(28, "No space left on device")
        return write_bytes(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="Cannot write .*No space left on device"):
        BuildPlan({"first": b"1", "second": b"2"}).write(target)
    assert names(target) == {*FILES, MANIFEST}
    assert [p.name for p in tmp_path.iterdir()] == ["build"]


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    BuildPlan({"a": b"1"}).write(tmp_path / "out")
    (tmp_path / "out" / "b").mkdir()
    before = names(tmp_path)
    with pytest.raises(OutputError, match="Cannot write .*b: Is a directory"):
        update_files(tmp_path / "out", {"b": b"2"})
    assert names(tmp_path) == before
