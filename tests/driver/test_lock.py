# SPDX-License-Identifier: Apache-2.0
"""A device is one process's."""

import gc
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hwgen.driver.errors import DeviceBusyError
from hwgen.driver.lock import DeviceLock, lock_path

HOLDER = """
import sys
from hwgen.driver.lock import DeviceLock
lock = DeviceLock(sys.argv[1])
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A device whose lock lies in a folder of its own, for other processes, too."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return "board 7/usb"


def holder(name: str) -> "subprocess.Popen[str]":
    """Another process that has the device until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "locked\n"
    return process


def test_the_other_process_is_named(name: str, tmp_path: Path) -> None:
    assert lock_path(name) == tmp_path / "hwgen-board_7_usb.lock"
    with holder(name) as process:
        with pytest.raises(DeviceBusyError) as error:
            DeviceLock(name)
        assert str(error.value) == (
            f"The device '{name}' is in use by another process ({process.pid}). End that process, "
            "or wait for it."
        )
        process.kill()
    # A process that was killed leaves the file and not the lock.
    lock = DeviceLock(name)
    assert lock_path(name).read_text() == f"{os.getpid()}\n"
    lock.release()
    assert not list(tmp_path.iterdir())


def test_release_lets_others_in(name: str) -> None:
    lock = DeviceLock(name)
    with pytest.raises(DeviceBusyError, match=f"another process \\({os.getpid()}\\)"):
        DeviceLock(name)
    lock.release()
    lock.release()
    with holder(name) as process:
        process.communicate()


def test_a_lock_that_is_forgotten_is_released(name: str) -> None:
    lock = DeviceLock(name)
    del lock
    gc.collect()
    DeviceLock(name).release()


def test_a_child_does_not_keep_the_lock(name: str) -> None:
    lock = DeviceLock(name)
    waiting, going_on = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(going_on)
        os.read(waiting, 1)
        os._exit(0)
    lock.release()
    DeviceLock(name).release()
    os.close(going_on)
    assert os.waitpid(child, 0) == (child, 0)


def test_other_users_may_lock(name: str) -> None:
    mask = os.umask(0o077)
    try:
        lock = DeviceLock(name)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(lock_path(name).stat().st_mode) == 0o666
    lock.release()


def test_a_child_cannot_release(name: str) -> None:
    lock = DeviceLock(name)
    child = os.fork()
    if child == 0:
        lock.release()
        os._exit(0)
    assert os.waitpid(child, 0) == (child, 0)
    with pytest.raises(DeviceBusyError):
        DeviceLock(name)
    lock.release()


def test_a_file_that_was_removed_is_no_lock(name: str) -> None:
    old = os.open(lock_path(name), os.O_CREAT | os.O_RDWR)
    lock_path(name).unlink()
    lock = DeviceLock(name)
    with pytest.raises(DeviceBusyError):
        DeviceLock(name)
    os.close(old)
    lock.release()


def test_a_file_that_cannot_be_locked(name: str) -> None:
    lock_path(name).symlink_to("/dev/null")
    with pytest.raises(DeviceBusyError, match="Cannot lock the device: .*Remove the file"):
        DeviceLock(name)


def test_a_folder_that_cannot_be_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc")
    with pytest.raises(DeviceBusyError, match="Cannot lock the device: /proc/"):
        DeviceLock(name)
