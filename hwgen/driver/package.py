# SPDX-License-Identifier: Apache-2.0
"""A package on disk: a folder, or a zip file that is unpacked for as long as it is open."""

import hashlib
import lzma
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hwgen.driver import manifest as manifest_file
from hwgen.driver.errors import CorruptPackageError, PackageError
from hwgen.driver.json_fields import damaged
from hwgen.driver.manifest import FileEntry, Manifest, parse_manifest

BITSTREAM, HANDOFF, EXAMPLES = "hwgen.bit", "hwgen.hwh", "examples.npz"

NOTEBOOKS = "notebooks/"
"""Files that people change; they are not checked."""

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Package:
    """An open package, all of whose files are as they were made."""

    folder: Path
    manifest: Manifest

    @property
    def bitstream(self) -> Path:
        return self.folder / BITSTREAM

    def read(self, name: str) -> bytes:
        """A file by its path in the package.

        Raises:
            CorruptPackageError: the package has none of this name, or it has changed since it was
                opened.
        """
        entry = self.manifest.files.get(name)
        if entry is None:
            raise damaged(f"{self.folder}: {manifest_file.NAME}", f"it does not list {name}")
        data = _read(self.folder / name)
        _compare(self.folder / name, entry, len(data), hashlib.sha256(data).hexdigest())
        return data


@contextmanager
def open_package(path: Path) -> Iterator[Package]:
    """Opens a package and checks the size and the SHA-256 of its files.

    Args:
        path: of a folder or a zip file. A zip file is unpacked to a temporary folder, which is
            removed in the end.

    Raises:
        PackageError: there is no package, or it is of another version.
        CorruptPackageError: names the first file that is missing or changed.
    """
    if _is_folder(path):
        yield _checked(path)
        return
    with tempfile.TemporaryDirectory(prefix="hwgen-package-") as temporary:
        _unpack(path, Path(temporary))
        yield _checked(Path(temporary))


def _checked(folder: Path) -> Package:
    path = folder / manifest_file.NAME
    if not path.is_file():
        raise _no_package(folder, f"it has no {manifest_file.NAME}")
    manifest = parse_manifest(_read(path), str(path))
    for name in (BITSTREAM, HANDOFF):
        if name not in manifest.files:
            raise damaged(str(path), f"it does not list {name}")
    for name, entry in manifest.files.items():
        if not name.startswith(NOTEBOOKS):
            _check(folder / name, entry)
    return Package(folder, manifest)


def _check(path: Path, expected: FileEntry) -> None:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                if size > expected.bytes:
                    break
    except FileNotFoundError:
        raise damaged(str(path), "this file of the package is missing") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    _compare(path, expected, size, digest.hexdigest())


def _compare(path: Path, expected: FileEntry, size: int, sha256: str) -> None:
    if size > expected.bytes:
        raise damaged(str(path), f"it has more than {expected.bytes} bytes")
    if size != expected.bytes:
        raise damaged(str(path), f"it has {size} bytes, not {expected.bytes}")
    if sha256 != expected.sha256:
        raise damaged(str(path), "its SHA-256 is not the one in the manifest: it was changed")


def _is_folder(path: Path) -> bool:
    """Raises PackageError where that is no path at all."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _no_package(path, reason[0].lower() + reason[1:]) from None


def _unpack(path: Path, folder: Path) -> None:
    """Unpacks what the manifest lists."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
            root = _root(members, path)
            text = archive.read(root + manifest_file.NAME)
            (folder / manifest_file.NAME).write_bytes(text)
            manifest = parse_manifest(text, f"{path}: {manifest_file.NAME}")
            for name, entry in manifest.files.items():
                if name.startswith(NOTEBOOKS):
                    continue
                if root + name not in members:
                    raise damaged(f"{path}: {name}", "this file of the package is missing")
                # Sizes are compared first: an archive can hold far more than it seems.
                if archive.getinfo(root + name).file_size != entry.bytes:
                    raise damaged(f"{path}: {name}", "it has another size than the manifest says")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(root + name))
    except FileNotFoundError:
        raise _no_package(path, "there is no such file or folder") from None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
        # RuntimeError: of an encrypted member, or one packed in a way that Python does not know.
        if path.suffix != ".zip":
            raise _no_package(path, "it is neither a folder nor a zip file") from None
        raise damaged(str(path), f"the zip file is damaged ({error})") from None
    except OSError as error:
        if error.errno is None:  # what bz2 says of damaged data
            raise damaged(str(path), f"the zip file is damaged ({error})") from None
        raise PackageError(
            f"Cannot unpack {path}: {error.strerror}. Unpack it yourself where there is room, and "
            "name the folder."
        ) from None


def _root(members: set[str], path: Path) -> str:
    """The folder in an archive that holds the manifest, with its slash; empty for the top."""
    names = [name for name in members if name.rpartition("/")[2] == manifest_file.NAME]
    roots = [name.removesuffix(manifest_file.NAME) for name in names if name.count("/") <= 1]
    if len(roots) != 1:
        raise _no_package(path, f"it holds {len(roots) or 'no'} {manifest_file.NAME} at its top")
    return roots[0]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise damaged(str(path), "this file of the package is missing") from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _no_package(path: Path, reason: str) -> PackageError:
    return PackageError(
        f"{path} is no hwgen package: {reason}. Name the folder or the zip file that "
        "'hwgen package' wrote."
    )


def _unreadable(path: Path, error: OSError) -> CorruptPackageError:
    return CorruptPackageError(
        f"Cannot read {path}: {error.strerror}. Make it readable, or copy it again."
    )
