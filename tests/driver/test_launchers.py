# SPDX-License-Identifier: Apache-2.0
"""Scripts and notebooks that know nothing of a simulation, on a simulated board."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

LOAD = """
import pynq
engine = pynq.Overlay({bitstream!r}).hwgen_engine_0
"""
# Nothing is at address 0, so the run ends with an error: what matters is that its end is told.
RUN = """
engine.write(0x04, 1)
engine.write(0x08, 1)
engine.write(0x0C, engine.read(0x0C))
engine.write(0x00, 1)
await engine.interrupt.wait()  # perhaps that of an earlier run, which the controller kept
while not engine.register_map.CTRL.AP_IDLE:
    await engine.interrupt.wait()
print(pynq.Device.active_device.name, engine.register_map.CTRL.AP_IDLE)
"""
SCRIPT = """
import asyncio, sys

async def main():
{run}
    print(*sys.argv[1:], sys.argv[0] == __file__, __name__, help_with)

from beside import help_with

asyncio.get_event_loop().run_until_complete(main())
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def environment(prepared: Path) -> dict[str, str]:
    simulator = (prepared / "simulator").read_text().strip()
    return {**os.environ, "HWGEN_SIMULATOR": simulator, "HWGEN_SIMULATED_BOARD": "zcu104"}


@pytest.fixture
def load(prepared: Path) -> str:
    return LOAD.format(bitstream=str(prepared / "simulated" / "hwgen.bit"))


def run(environment: dict[str, str], *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hwgen.rehearsal", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        # A session without a terminal takes the first one that it opens, an interrupt's file.
        start_new_session=True,
        timeout=120,
    )


def test_a_script(environment: dict[str, str], load: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    indented = "".join(f"    {line}\n" for line in RUN.strip().splitlines())
    script.write_text(load + SCRIPT.format(run=indented))
    (tmp_path / "beside.py").write_text("help_with = 'beside'\n")
    finished = run(environment, script, "7", "--wait")
    assert finished.stdout == "ZCU104 1\n7 --wait True __main__ beside\n", finished.stderr
    assert finished.returncode == 7


def test_a_script_that_fails_has_its_traceback(environment: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("\nraise KeyError('mine')\n")
    finished = run(environment, script)
    assert finished.returncode == 1
    assert finished.stderr.endswith("    raise KeyError('mine')\nKeyError: 'mine'\n")


def test_no_script(environment: dict[str, str]) -> None:
    for arguments, message in (((), "required: script"), (("none.py",), "none.py is no file")):
        finished = run(environment, *arguments)
        assert finished.returncode == 2
        assert finished.stderr.startswith("usage: python -m hwgen.rehearsal")
        assert message in finished.stderr


@pytest.mark.parametrize(
    ("simulator", "message"),
    [
        (
            "",
            "HWGEN_SIMULATOR is not set. Set it to the path of a compiled simulator; hwgen ",
        ),
        ("/none", "The simulator cannot be started (/none): No such file or directory.\n"),
    ],
)
@pytest.mark.parametrize("module", ["hwgen.rehearsal", "hwgen.rehearsal.kernel"])
def test_no_simulator(
    environment: dict[str, str], tmp_path: Path, simulator: str, message: str, module: str
) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('ran')\n")
    finished = subprocess.run(
        [sys.executable, "-m", module, script],
        env=environment | {"HWGEN_SIMULATOR": simulator},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.startswith(message)


def test_a_notebook(
    environment: dict[str, str], load: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = tmp_path / "kernels" / "board"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "hwgen.rehearsal.kernel", "-f", "{connection_file}"]
    specification = {"argv": command, "display_name": "Board", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(specification))
    for name in ("HWGEN_SIMULATOR", "HWGEN_SIMULATED_BOARD"):
        monkeypatch.setenv(name, environment[name])
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in (load, RUN, RUN)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    specifications = KernelSpecManager(kernel_dirs=[str(kernel.parent)])
    manager = AsyncKernelManager(kernel_name="board", kernel_spec_manager=specifications)
    NotebookClient(notebook, km=manager, timeout=120).execute()
    for cell in notebook.cells[1:]:
        assert [output["text"] for output in cell.outputs] == ["ZCU104 1\n"]
