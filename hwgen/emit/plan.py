# SPDX-License-Identifier: Apache-2.0
"""What a build will write, decided before anything is written."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any

from hwgen.archive import archive
from hwgen.errors import OutputError, ProgramError

MANIFEST = "hwgen-files.json"
"""The list of files with their digests that ``write`` leaves in the folder."""

MANIFEST_VERSION = 1

Content = bytes | Path
"""A file's bytes, or an existing file to copy."""


@dataclass(frozen=True)
class BuildPlan:
    """An ordered mapping of file names to contents. Nothing touches the disk before ``write``.

    Attributes:
        files: POSIX names relative to the output folder.

    Raises:
        OutputError: a name is absolute, leaves the folder, or collides with another one.
    """

    files: Mapping[str, Content]
    _digests: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = {*self.files, MANIFEST}
        for name in self.files:
            _check_name(name)
            if name == MANIFEST:
                raise OutputError(f"{MANIFEST!r} is reserved: the build's own list of files.")
            for parent in PurePosixPath(name).parents:
                if str(parent) in names:
                    raise OutputError(f"{str(parent)!r} is both a file and a folder of the build.")
        object.__setattr__(self, "files", MappingProxyType(dict(self.files)))

    def file_digest(self, name: str) -> str:
        """SHA-256 of one file, hexadecimal; files to copy are read piece by piece."""
        if name not in self._digests:
            self._digests[name] = _digest(self.files[name])
        return self._digests[name]

    def digest(self) -> str:
        """SHA-256 over all names and contents, hexadecimal."""
        total = hashlib.sha256()
        for name in sorted(self.files):
            total.update(f"{self.file_digest(name)} {name}\n".encode())
        return total.hexdigest()

    def manifest(self) -> bytes:
        """The file ``hwgen-files.json``: size and SHA-256 of every file."""
        files = {
            name: {"bytes": _size(content), "sha256": self.file_digest(name)}
            for name, content in self.files.items()
        }
        return _manifest_bytes(files)

    def archive(self) -> bytes:
        """A zip file of everything, the same bytes on every machine."""
        return archive({**self.contents(), MANIFEST: self.manifest()})

    def contents(self) -> dict[str, bytes]:
        """The bytes of every file; files to copy are read."""
        return {
            name: content if isinstance(content, bytes) else content.read_bytes()
            for name, content in self.files.items()
        }

    def write(self, directory: Path, *, force: bool = False) -> None:
        """Writes the folder at once: it appears whole, or stays as it was.

        An earlier output of hwgen is replaced. A folder with files that hwgen did not write, or
        that were edited since, is refused; with ``force`` edited files are replaced where the
        build has a file of that name, and all other foreign files stay.

        Raises:
            OutputError: the folder is refused, or cannot be written.
        """
        target = directory.resolve()
        mark = secrets.token_hex(4)
        fresh = target.with_name(f".{target.name}.{mark}.new")
        old = target.with_name(f".{target.name}.{mark}.old")
        try:
            foreign = list(_foreign_files(target))
            if foreign and not force:
                raise OutputError(_refusal(directory, foreign))
            if Path.cwd().is_relative_to(target):
                raise OutputError(
                    f"{directory} is the current folder or holds it; it cannot be replaced as a "
                    "whole. Name a folder below it, or change to another one."
                )
            try:
                fresh.mkdir(parents=True)
                self._write_into(fresh)
                _swap(fresh, target, old)
            except BaseException:
                shutil.rmtree(fresh, ignore_errors=True)
                raise
            for name in foreign:
                _keep(old / name, target / name)
            if old.exists():
                shutil.rmtree(old)
        except OSError as error:
            kept = f" The earlier content is in {old}." if old.exists() else ""
            raise OutputError(f"Cannot write {directory}: {error}.{kept}") from error

    def _write_into(self, folder: Path) -> None:
        manifest = self.manifest()
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                shutil.copyfile(content, path)
                if _digest(path) != self.file_digest(name):
                    raise OutputError(f"{content} changed while it was copied. Build again.")
        (folder / MANIFEST).write_bytes(manifest)


def _check_name(name: str) -> None:
    path = PurePosixPath(name)
    plain = (
        name == str(path)
        and name != "."
        and ".." not in path.parts
        and not path.is_absolute()
        and "\\" not in name
        and not PureWindowsPath(name).drive
        and name.isprintable()
    )
    if not plain:
        raise OutputError(
            f"{name!r} is no file name for a build: names are relative, use '/', and do not "
            "leave the output folder."
        )


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _digest(content: Content) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_files(folder: Path, *places: str) -> None:
    """Compares files of a written folder with the digests of its manifest.

    Args:
        places: names of files, and of folders with a slash at their end.

    Raises:
        ProgramError: the manifest cannot be read, or a file is missing or was changed.
    """
    known = _need_manifest(folder)
    inner = tuple(place for place in places if place.endswith("/"))
    for name, entry in known.items():
        if (name in places or name.startswith(inner)) and not _unchanged(folder / name, entry):
            raise ProgramError(
                f"{folder / name} is missing or was changed since hwgen wrote it ({MANIFEST} "
                "holds its SHA-256). Build the model again."
            )


def update_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replaces or adds files at the top of a written folder, and brings its manifest up to date.

    Raises:
        ProgramError: the manifest cannot be read.
        OutputError: a file cannot be written.
    """
    entries = {name: {"bytes": len(data), "sha256": _digest(data)} for name, data in files.items()}
    manifest = _manifest_bytes({**_need_manifest(folder), **entries})
    for name, data in {**files, MANIFEST: manifest}.items():
        fresh = folder / f".{name}.new"
        try:
            fresh.write_bytes(data)
            fresh.replace(folder / name)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise OutputError(f"Cannot write {folder / name}: {error.strerror}.") from error


def _manifest_bytes(files: dict[str, Any]) -> bytes:
    data = {"format": "hwgen-files", "version": MANIFEST_VERSION, "files": files}
    return (json.dumps(data, indent=1) + "\n").encode()


def _need_manifest(folder: Path) -> dict[str, Any]:
    files = _read_manifest(folder)
    if not files:
        raise ProgramError(
            f"{folder / MANIFEST} is missing or damaged, so the files beside it cannot be "
            "trusted. Build the model again."
        )
    return files


def _read_manifest(folder: Path) -> dict[str, Any]:
    """The files that hwgen wrote; none where there is no (readable) manifest."""
    try:
        data = json.loads((folder / MANIFEST).read_bytes())
        files = data["files"]
        return files if isinstance(files, dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _foreign_files(folder: Path) -> Iterator[str]:
    """Names of files in ``folder`` that hwgen did not write or that were edited since."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder} is a file. Name a folder to write to.")
    known = _read_manifest(folder)
    for root, folders, files in os.walk(folder):
        links = [name for name in folders if Path(root, name).is_symlink()]
        for entry in sorted(files + links):
            path = Path(root, entry)
            name = path.relative_to(folder).as_posix()
            if name == MANIFEST and known:
                continue
            if not _unchanged(path, known.get(name)):
                yield name
        folders.sort()


def _unchanged(path: Path, entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and path.is_file()
        and not path.is_symlink()
        and path.stat().st_size == entry.get("bytes")
        and _digest(path) == entry.get("sha256")
    )


def _refusal(directory: Path, foreign: list[str]) -> str:
    shown = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if foreign[3:] else "")
    return (
        f"{directory} holds files that hwgen did not write or that were edited since: {shown}. "
        "Nothing was written. Name another folder, or repeat with --force (it replaces edited "
        "files and keeps all others)."
    )


def _swap(fresh: Path, target: Path, old: Path) -> None:
    """Puts ``fresh`` in the place of ``target``; what stood there becomes ``old``."""
    if not target.exists():
        fresh.rename(target)
        return
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        old.rename(target)
        raise


def _keep(source: Path, destination: Path) -> None:
    """Moves a foreign file into the new folder unless the build brought one of that name."""
    if destination.exists() or destination.is_symlink():
        return
    destination.parent.mkdir(parents=True, exist_ok=True)
    source.rename(destination)
