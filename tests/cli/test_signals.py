# SPDX-License-Identifier: Apache-2.0
"""Commands that are ended from outside."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = """
import sys
from hwgen import cli
from hwgen.cli import app
from hwgen.sim.process import run_process

@app.app.command()
def wait(mark: str) -> None:
    code = f"import time; print(flush=True); time.sleep(2); open({mark!r}, 'w')"
    say = lambda line: print("started", flush=True)
    run_process([sys.executable, "-c", code], what="It", timeout_s=60, on_line=say)

cli.main()
"""


def _default_signals() -> None:
    """Whoever runs the tests may have them ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_programs_that_were_started_end_too(tmp_path: Path, number: signal.Signals) -> None:
    mark = tmp_path / "alive"
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "wait", str(mark)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_default_signals,
    )
    assert command.stdout is not None
    assert command.stdout.readline() == "started\n"
    command.send_signal(number)
    _, message = command.communicate(timeout=60)
    assert command.returncode == 128 + number
    assert "Traceback" not in message
    time.sleep(2.5)
    assert not mark.exists()


def test_a_hang_up_that_is_ignored_stays_so(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "wait", str(mark)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert command.stdout is not None
    assert command.stdout.readline() == "started\n"
    command.send_signal(signal.SIGHUP)
    command.communicate(timeout=60)
    assert command.returncode == 0
    assert mark.exists()
