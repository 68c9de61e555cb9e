# SPDX-License-Identifier: Apache-2.0
"""Sources are compiled once; failures show the compiler's last lines."""

from pathlib import Path

import pytest

from hwgen.errors import ToolError
from hwgen.sim import csim_build
from hwgen.sim.csim_build import cache_folder, compile_sources, read_sources, select_sources
from hwgen.sim.process import run_process
from hwgen.sim.toolchain import find_toolchain

MAIN = b'#include <cstdio>\nint main() {\n#pragma HLS inline\n  std::puts("ran");\n}\n'


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HWGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_compiles_once_and_again_only_for_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    toolchain = find_toolchain()
    first = compile_sources({"testbench.cpp": MAIN}, toolchain)
    assert run_process([first], what="It", timeout_s=60).tail == ("ran",)
    assert [p.name for p in first.parent.iterdir()] == [first.name]

    calls = []
    monkeypatch.setattr(csim_build, "run_process", lambda *_, **__: calls.append(1))
    assert compile_sources({"testbench.cpp": MAIN}, toolchain) == first
    pragma = MAIN.replace(b"HLS inline", b"HLS inline off")
    assert compile_sources({"testbench.cpp": pragma}, toolchain) == first
    assert not calls
    with pytest.raises(AttributeError):
        compile_sources({"testbench.cpp": MAIN.replace(b"ran", b"run")}, toolchain)
    assert calls


def test_a_compiler_error_is_shown_and_leaves_nothing(cache: Path) -> None:
    with pytest.raises(
        ToolError, match=r"g\+\+ failed on the HLS project \(exit code 1\).*\n(.*\n)*.*oops"
    ):
        compile_sources({"testbench.cpp": b"int main() { oops; }\n"}, find_toolchain())
    assert not list((cache / "csim").iterdir())


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HWGEN_CACHE", str(tmp_path / "file"))
    with pytest.raises(ToolError, match=r"Cannot use the cache folder .* Set HWGEN_CACHE to"):
        compile_sources({"testbench.cpp": MAIN}, find_toolchain())


def test_the_cache_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HWGEN_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hwgen"


def test_sources_of_a_folder_and_of_files_are_the_same(tmp_path: Path) -> None:
    files = {
        "hls/testbench.cpp": MAIN,
        "hls/kernels/engine.hpp": b"1",
        "hls/kernels/csim/hls_stream.h": b"2",
        "hls/README.md": b"",
        "program/model.json": b"",
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    expected = {"testbench.cpp", "kernels/engine.hpp", "kernels/csim/hls_stream.h"}
    assert set(read_sources(tmp_path)) == expected
    assert read_sources(tmp_path / "hls") == read_sources(tmp_path) == select_sources(files)


def test_a_folder_without_a_project(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"holds no HLS project \(no testbench\.cpp\)"):
        read_sources(tmp_path)
