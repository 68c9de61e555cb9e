# SPDX-License-Identifier: Apache-2.0
"""One process at a time on a device: two would load bitstreams over each other."""

import contextlib
import fcntl
import os
import re
import tempfile
import weakref
from pathlib import Path

from hwgen.driver.errors import DeviceBusyError

_MODE = 0o666
"""Other users lock the same file."""


class DeviceLock:
    """Holds a device until ``release``, the end of the process or that of this object.

    The lock is the kernel's, on a file in the folder for temporary files, so that a process that
    dies leaves none behind. Who releases it removes the file, so a lock counts only on the file
    that still has the name.

    Args:
        device: its name among the devices of this machine, ``Device.tag`` of pynq.

    Raises:
        DeviceBusyError: names the process that has it.
    """

    def __init__(self, device: str) -> None:
        self.path = lock_path(device)
        while True:
            file = _open(self.path)
            _lock(file, device)
            if _has_name(file, self.path):
                break
            os.close(file)
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._finalizer = weakref.finalize(self, _release, file, self.path, os.getpid())

    def release(self) -> None:
        """Lets others have the device; a second time does no harm."""
        self._finalizer()


def lock_path(device: str) -> Path:
    """The file that stands for a device."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", device)
    return Path(tempfile.gettempdir()) / f"hwgen-{name}.lock"


def _open(path: Path) -> int:
    """Opens the file, and makes it where there is none. Linux refuses to open another user's file
    in a folder such as /tmp with O_CREAT, even for root; so it is first tried without.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _unusable(path, error) from None
        try:
            file = os.open(path, flags | os.O_CREAT | os.O_EXCL, _MODE)
        except FileExistsError:
            continue
        except OSError as error:
            raise _unusable(path, error) from None
        os.fchmod(file, _MODE)  # whatever the umask
        return file


def _lock(file: int, device: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(file, 32).decode("ascii", "replace").strip() or "not known by number"
        os.close(file)
        raise DeviceBusyError(
            f"The device '{device}' is in use by another process ({holder}). End that process, "
            "or wait for it."
        ) from None


def _has_name(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _release(file: int, path: Path, holder: int) -> None:
    # A child of this process has the file open, too: closing it here would not do, and closing it
    # there must not take the lock from here.
    if os.getpid() == holder:
        with contextlib.suppress(OSError):  # another user's, or gone
            path.unlink()
        fcntl.flock(file, fcntl.LOCK_UN)
    os.close(file)


def _unusable(path: Path, error: OSError) -> DeviceBusyError:
    return DeviceBusyError(
        f"Cannot lock the device: {path}: {error.strerror}. Remove the file, or run as the user "
        "whose it is."
    )
