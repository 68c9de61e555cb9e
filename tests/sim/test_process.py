# SPDX-License-Identifier: Apache-2.0
"""External programs: output, time limits, and nothing left running."""

import sys
import time
from pathlib import Path

import pytest

from hwgen.errors import ToolError
from hwgen.sim import process
from hwgen.sim.process import run_process

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_lines_and_exit_code() -> None:
    lines: list[str] = []
    code = "import sys; print('one'); print('two', file=sys.stderr, flush=True); sys.exit(3)"
    finished = run_process(python(code), what="It", timeout_s=60, on_line=lines.append)
    assert finished.code == 3
    assert sorted(lines) == sorted(finished.tail) == ["one", "two"]


def test_a_program_that_is_too_slow_is_stopped_with_its_last_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0.3)
    start = time.monotonic()
    with pytest.raises(
        ToolError, match=r"^It was stopped after 1 seconds\.\nIts last li[^:]*:\n  r"
    ):
        run_process(python(STUBBORN), what="It", timeout_s=1)
    assert time.monotonic() - start < 20


def test_an_interruption_stops_the_program(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    code = f"import time; print(flush=True); time.sleep(2); open({str(mark)!r}, 'w')"

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_process(python(code), what="It", timeout_s=60, on_line=interrupt)
    time.sleep(2.5)
    assert not mark.exists()


def test_what_a_program_leaves_running_is_ended(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    child = f"import time; time.sleep(2); open({str(mark)!r}, 'w')"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}])"
    start = time.monotonic()
    assert run_process(python(code), what="It", timeout_s=60).code == 0
    assert time.monotonic() - start < 2
    time.sleep(2.5)
    assert not mark.exists()


def test_a_line_without_end_is_cut_in_messages() -> None:
    lines: list[str] = []
    finished = run_process(
        python("print('x' * 100_000)"), what="It", timeout_s=60, on_line=lines.append
    )
    assert (len(finished.tail[0]), len(lines[0])) == (process.TAIL_COLUMNS, 100_000)


def test_a_missing_program_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"^It cannot be started \(.*/none\): No such file"):
        run_process([tmp_path / "none"], what="It", timeout_s=1)
