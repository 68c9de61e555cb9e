# SPDX-License-Identifier: Apache-2.0
"""``hwgen synth`` with programs that stand in for Vivado, Vitis HLS and SSH; what they do is in
tests/vivado/tcl_tools.py, which runs the scripts that hwgen wrote.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import hwgen
from hwgen.deploy.bitstream import overlay
from hwgen.errors import OutputError
from hwgen.vivado.outputs import read_outputs
from hwgen.vivado.synthesis import Options
from tests.vivado.tools import install, machine, path_with, program

Run = Callable[..., Result]
HOST = "me@server"


@pytest.fixture
def design(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A written design, and no tool but the system's own on PATH."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    for name in [name for name in os.environ if name.startswith("FAKE_")]:
        monkeypatch.delenv(name)
    shutil.copytree(folder, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def tools(design: Path) -> Path:
    """Vivado on PATH; the folder for more."""
    install(design.parent / "bin", "vivado")
    return design.parent / "bin"


@pytest.fixture
def home(design: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another machine with Vivado; here are only ssh and scp."""
    install(design.parent / "bin", "ssh", "scp")
    monkeypatch.setenv("FAKE_HOME", str(design.parent / "home"))
    return machine(design.parent / "home", "vivado", "vitis_hls")


def report(design: Path) -> dict:
    return json.loads((design / "report.json").read_text())


def message(result: Result) -> str:
    return " ".join(result.stderr.split())


def test_from_the_design_to_a_bitstream(run: Run, design: Path, tools: Path) -> None:
    result = run("synth", design)
    assert result.exit_code == 0, result.output
    assert "300 MHz are met with 0.041 ns to spare" in result.stdout
    assert "91,530" in result.stdout and "98,211" in result.stdout
    assert "vivado/output/hwgen.bit" in result.stdout

    found = report(design)
    assert found["resources"]["synth"]["lut"] == 91_530
    assert found["resources"]["synth_design"]["lut"] == 98_211
    assert found["timing"] == {
        "engine": "rtl",
        "clock_mhz": 300.0,
        "worst_slack_ns": 0.041,
        "worst_hold_slack_ns": 0.01,
        "achieved_mhz": 303.8,
        "failing_endpoints": 0,
        "met": True,
    }
    assert found["tool_versions"]["vivado"] == "2024.1"
    assert found["tool_versions"]["vitis"] is None
    assert any("Vivado placed and routed the SystemVerilog" in text for text in found["limits"])
    page = (design / "report.html").read_text()
    assert "300 MHz are met" in page and "98,211 LUT" in page
    assert "nothing has been placed" not in page
    assert "300 MHz are met" in run("report", design).stdout


def test_what_package_takes(run: Run, design: Path, tools: Path) -> None:
    assert read_outputs(design) is None
    assert run("synth", design).exit_code == 0
    found = read_outputs(design)
    assert found is not None
    assert (found.tool, found.hls_tool, found.engine) == ("Vivado v2024.1", None, "rtl")
    assert (found.part, found.clock_mhz) == ("xczu9eg-ffvb1156-2-e", 300.0)
    assert found.bitstream.read_bytes() == b"a bitstream\n"
    assert "hwgen_engine_0" in found.handoff.read_text()
    made = overlay(hwgen.open_design(design)).made
    assert (made.made_by, made.engine, made.tool) == ("vivado", "rtl", "Vivado v2024.1")

    record = design / "vivado/output/synthesis.json"
    text = record.read_text()
    record.write_text("{")
    with pytest.raises(OutputError, match="synthesis.json is damaged"):
        read_outputs(design)
    # As build.tcl leaves it where somebody runs it by hand.
    record.unlink()
    with pytest.raises(OutputError, match=r"holds hwgen\.bit, but no synthesis\.json"):
        read_outputs(design)
    assert run("synth", design).exit_code == 0
    assert record.read_text() == text
    with (design / "rtl/kernels/fifo.sv").open("a") as stream:
        stream.write("// edited\n")
    with pytest.raises(OutputError, match=r"another state of the design: .*fifo\.sv is missing or"):
        read_outputs(design)
    found.bitstream.unlink()
    with pytest.raises(OutputError, match=r"hwgen\.bit is missing or was changed"):
        read_outputs(design)


def test_the_record_survives_another_build_of_the_same(run: Run, design: Path, tools: Path) -> None:
    assert run("synth", design).exit_code == 0
    hwgen.build("preset:fashion-vit").write(design, force=True)
    assert read_outputs(design) is not None
    assert report(design)["timing"] is None
    # Nothing is left to do but to read what was found.
    result = run("synth", design)
    assert result.exit_code == 0
    log = (design / "vivado/work/hwgen-synth.log").read_text()
    assert "begins" not in log and "step bitstream was done before" in log
    assert report(design)["timing"]["met"] is True


def test_step_by_step(run: Run, design: Path, tools: Path) -> None:
    before = report(design)
    result = run("synth", design, "--step", "synth", "--jobs", "7")
    assert result.exit_code == 0, result.output
    assert "Done up to step synth" in result.stdout
    assert report(design) == before
    assert run("synth", design, "--step", "impl").exit_code == 0
    # Routed: its figures are known, but there is no bitstream.
    assert report(design)["timing"]["met"] is True
    assert read_outputs(design) is None
    assert run("synth", design).exit_code == 0
    assert read_outputs(design) is not None


def test_the_cpp_engine(run: Run, design: Path, tools: Path) -> None:
    install(tools, "vitis_hls")
    result = run("synth", design, "--engine", "hls")
    assert result.exit_code == 0, result.output
    found = read_outputs(design)
    assert found is not None
    assert (found.engine, found.hls_tool) == ("hls", "Vitis HLS v2024.1")
    assert report(design)["timing"]["engine"] == "hls"
    assert report(design)["tool_versions"]["vitis"] == "2024.1"
    # Vitis HLS is not run again for the same sources, but it is for others.
    log = design / "vivado/work/hwgen-synth.log"
    assert run("synth", design, "--engine", "hls", "--step", "hls").exit_code == 0
    assert "step hls was done before" in log.read_text()
    with (design / "hls/kernels/engine.hpp").open("a") as stream:
        stream.write("// edited\n")
    assert run("synth", design, "--engine", "hls", "--step", "hls").exit_code == 0
    assert "step hls begins" in log.read_text()


def test_vitis_run_comes_first(
    run: Run, design: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VERSION", "2025.1")
    install(tools, "vitis-run")
    program(tools, "vitis_hls", "#!/bin/sh\nexit 1\n")
    assert run("synth", design, "--engine", "hls").exit_code == 0
    found = read_outputs(design)
    assert found is not None and found.hls_tool == "Vitis HLS v2025.1"


def test_missing_tools(run: Run, design: Path) -> None:
    result = run("synth", design)
    assert result.exit_code == 2
    assert "Vivado is not on the PATH of this machine" in message(result)
    assert "settings64.sh, or name another machine with --host" in message(result)
    install(design.parent / "bin", "vivado")
    result = run("synth", design, "--engine", "hls")
    assert result.exit_code == 2
    assert "Neither vitis-run nor vitis_hls is on the PATH" in message(result)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("vivado v2019.2 (64-bit)", "Vivado 2019.2 on this machine is too old; the scripts need"),
        ("Tool Version Limit: 2030.05", "'vivado -version' on this machine prints no version"),
    ],
)
def test_versions_that_will_not_do(
    run: Run, design: Path, tools: Path, monkeypatch: pytest.MonkeyPatch, title: str, expected: str
) -> None:
    monkeypatch.setenv("FAKE_TITLE", title)
    result = run("synth", design)
    assert result.exit_code == 2
    assert expected in message(result)


def test_a_failure_names_the_cause_and_records_nothing(
    run: Run, design: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (design / "report.json").read_bytes()
    monkeypatch.setenv("FAKE_FAIL", "hwgen_hwgen_engine_0_0_synth_1")
    result = run("synth", design)
    assert result.exit_code == 2
    assert (
        "Vivado v2024.1 failed in step synth: [Synth 8-439] no module "
        "(/elsewhere/ip/src/mac_array.sv, line 88)."
    ) in message(result)
    assert "vivado/work/hwgen-synth.log" in message(result)
    assert (design / "report.json").read_bytes() == before
    assert not (design / "vivado/output").exists()

    monkeypatch.delenv("FAKE_FAIL")
    assert run("synth", design).exit_code == 0
    log = (design / "vivado/work/hwgen-synth.log").read_text()
    assert "step design was done before" in log and "step synth begins" in log


def test_a_failure_of_vitis_hls(
    run: Run, design: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tools, "vitis_hls")
    monkeypatch.setenv("FAKE_FAIL", "csynth")
    result = run("synth", design, "--engine", "hls")
    assert result.exit_code == 2
    assert (
        "Vitis HLS v2024.1 failed in step hls: [HLS 214-298] not supported (kernels/engine.hpp, "
        "line 148)."
    ) in message(result)
    assert report(design)["timing"] is None


def test_a_killed_vivado_goes_on_where_it_stopped(
    run: Run, design: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_STOP", "impl_1")
    result = run("synth", design)
    assert result.exit_code == 2
    assert "Vivado v2024.1 failed in step impl (exit code -9)" in message(result)
    monkeypatch.delenv("FAKE_STOP")
    result = run("synth", design)
    assert result.exit_code == 0, result.output
    log = (design / "vivado/work/hwgen-synth.log").read_text()
    assert "step synth was done before" in log and "step impl begins" in log


def test_timing_that_is_not_met(
    run: Run, design: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SLOW", "1")
    result = run("synth", design)
    assert result.exit_code == 2
    assert "300 MHz are not met: 2,951 endpoints fail, the worst by 0.287 ns" in result.stdout
    assert "Timing is not met at 300 MHz, so no bitstream was made." in message(result)
    assert "Set clock_mhz to 276 or less" in message(result)
    # What was found is true all the same, and says so.
    assert report(design)["timing"]["met"] is False
    assert any("does not meet 300 MHz" in text for text in report(design)["limits"])
    assert "are not met" in (design / "report.html").read_text()
    assert read_outputs(design) is None


def test_ctrl_c_ends_vivado_too(design: Path, tools: Path) -> None:
    mark = design.parent / "running"
    program(
        tools,
        "vivado",
        '#!/bin/sh\n[ "$1" = -version ] && echo "vivado v2024.1" && exit\n'
        f'sleep 60 & echo $! > "{mark}.part"; mv "{mark}.part" "{mark}"; wait\n',
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "hwgen", "synth", str(design)], stderr=subprocess.DEVNULL
    )
    while not mark.exists() and process.poll() is None:
        time.sleep(0.05)
    child = int(mark.read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    assert not running(child)


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_on_another_machine(run: Run, design: Path, home: Path) -> None:
    result = run("synth", design, "--host", HOST)
    assert result.exit_code == 0, result.output
    assert report(design)["timing"]["met"] is True
    assert read_outputs(design) is not None
    assert (design / "vivado/work/rtl/reports/timing.rpt").is_file()
    assert set((home / "hosts").read_text().split()) == {HOST}
    there = home / "hwgen-synth" / "out"
    assert (there / "vivado/work/rtl/project/hwgen.xpr").is_file()
    # Only what Vivado needs was copied, and only what was made came back.
    assert not (there / "report.json").exists() and not (there / "hls").exists()
    assert not (design / "vivado/work/rtl/project").exists()
    assert run("synth", design, "--host", HOST).exit_code == 0
    assert "begins" not in (design / "vivado/work/hwgen-synth.log").read_text()


def test_the_cpp_engine_in_a_folder_of_another_machine(run: Run, design: Path, home: Path) -> None:
    result = run("synth", design, "--engine", "hls", "--host", f"{HOST}:~/scratch/it")
    assert result.exit_code == 0, result.output
    assert (home / "scratch/it/hls/hwgen_engine_prj").is_dir()
    found = read_outputs(design)
    assert found is not None and found.engine == "hls"


def test_timing_that_is_not_met_on_another_machine(
    run: Run, design: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SLOW", "1")
    result = run("synth", design, "--host", HOST)
    assert result.exit_code == 2
    assert "Timing is not met" in message(result)
    assert report(design)["timing"]["failing_endpoints"] == 2_951


def test_a_failure_on_another_machine(
    run: Run, design: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_FAIL", "synth_1")
    result = run("synth", design, "--host", HOST)
    assert result.exit_code == 2
    assert "failed in step synth: [Synth 8-439] no module" in message(result)
    assert report(design)["timing"] is None


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("down", "me@server cannot be reached over SSH: ssh: connect to host me@server port 22"),
        ("lost", "The connection to me@server was lost (client_loop: send disconnect"),
        ("full", "Copying to or from me@server failed: scp: write remote: No space left"),
    ],
)
def test_a_machine_that_cannot_be_used(
    run: Run, design: Path, home: Path, monkeypatch: pytest.MonkeyPatch, state: str, expected: str
) -> None:
    monkeypatch.setenv("FAKE_SSH", state)
    result = run("synth", design, "--host", HOST)
    assert result.exit_code == 2
    assert expected in message(result)
    assert report(design)["timing"] is None
    monkeypatch.delenv("FAKE_SSH")
    assert run("synth", design, "--host", HOST).exit_code == 0


def test_a_machine_without_vivado(run: Run, design: Path, home: Path) -> None:
    (home / "bin" / "vivado").unlink()
    result = run("synth", design, "--host", HOST)
    assert result.exit_code == 2
    assert "Vivado is not on the PATH of me@server" in message(result)
    assert "in the login shell there (~/.profile)" in message(result)


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "me@", "a b", "me@server:with blank"])
def test_no_host(run: Run, design: Path, home: Path, host: str) -> None:
    result = run("synth", design, f"--host={host}")
    assert result.exit_code == 2
    assert "it takes user@machine or user@machine:folder" in message(result)


def test_a_step_of_the_other_engine(run: Run, design: Path, tools: Path) -> None:
    result = run("synth", design, "--step", "hls")
    assert result.exit_code == 2
    assert "--step is 'hls'; with --engine rtl it is one of ip, design, synth" in message(result)


def test_files_that_are_not_there(run: Run, design: Path, tools: Path) -> None:
    (design / "rtl/kernels/fifo.sv").unlink()
    result = run("synth", design)
    assert result.exit_code == 2
    assert "rtl/kernels/fifo.sv is missing, and Vivado needs it." in message(result)
    (design / "rtl/design.f").write_text("../../outside.sv\n")
    result = run("synth", design)
    assert "names '../../outside.sv', which lies outside of rtl/" in message(result)
    shutil.rmtree(design / "vivado")
    assert "build.tcl is missing" in message(run("synth", design))


def test_reports_that_are_damaged(run: Run, design: Path, tools: Path) -> None:
    assert run("synth", design, "--step", "impl").exit_code == 0
    before = report(design)
    path = design / "vivado/work/rtl/reports/hierarchy.rpt"
    path.write_text(path.read_text().replace("hwgen_engine_0", "something_else"))
    result = run("synth", design)
    assert result.exit_code == 2
    assert "holds no row of the instance 'hwgen_engine_0'" in message(result)
    assert report(design) == before
    with pytest.raises(OutputError, match=r"holds hwgen\.bit, but no synthesis\.json"):
        read_outputs(design)


def test_from_python(design: Path, tools: Path) -> None:
    opened = hwgen.open_design(design)
    assert opened.synthesise(Options(last="ip")) is None
    found = opened.synthesise()
    assert found is not None and found.bitstream and found.timing.met
    assert opened.summary.timing == found.timing
    with pytest.raises(OutputError, match="call write\\(\\) first"):
        hwgen.build("preset:fashion-vit").synthesise()
