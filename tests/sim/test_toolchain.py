# SPDX-License-Identifier: Apache-2.0
"""The compiler and the headers are found, or the message says what to install."""

import importlib.util
import sys
from pathlib import Path

import pytest

from hwgen.errors import ToolError
from hwgen.sim.toolchain import find_compiler, find_toolchain


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CXX", "HWGEN_AP_TYPES", "XILINX_HLS"):
        monkeypatch.delenv(name, raising=False)


def test_this_machine_has_both_and_hls4ml_is_not_imported() -> None:
    toolchain = find_toolchain()
    assert Path(toolchain.compiler[0]).name == "g++"
    assert (toolchain.ap_types / "ap_int.h").is_file()
    assert "hls4ml" not in sys.modules


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match=r"g\+\+ is not on PATH\. Install it .* variable CXX\.$"):
        find_toolchain()


def test_a_named_compiler_may_have_options_and_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "g++ -fwrapv")
    assert find_toolchain().compiler[1:] == ("-fwrapv",)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolError, match=r"'no-such-compiler' named by .* CXX was not found"):
        find_toolchain()


def test_headers_by_variable_by_vitis_or_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "ap_int.h").touch()
    monkeypatch.setenv("XILINX_HLS", str(tmp_path))
    assert find_toolchain().ap_types == tmp_path / "include"
    monkeypatch.setenv("HWGEN_AP_TYPES", str(tmp_path / "include"))
    assert find_toolchain().ap_types == tmp_path / "include"
    monkeypatch.setenv("HWGEN_AP_TYPES", str(tmp_path))
    with pytest.raises(ToolError, match=r"HWGEN_AP_TYPES names .*, which holds no ap_int\.h"):
        find_toolchain()
    monkeypatch.delenv("HWGEN_AP_TYPES")
    monkeypatch.delenv("XILINX_HLS")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"Install it with 'pip install --no-deps hls4ml'"):
        find_toolchain()


def test_a_compiler_that_is_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "g++ 'half")
    with pytest.raises(ToolError, match=r"CXX is no command: .* unset it to use g\+\+"):
        find_compiler()
