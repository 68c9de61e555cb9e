# SPDX-License-Identifier: Apache-2.0
"""Makes what the tests of the driver take: ``python -m tests.driver.prepare FOLDER``.

They run without the generator, where a driver runs; this runs with it, before them.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

import hwgen
from hwgen.boards import board_names, load_board
from hwgen.config import Config, EngineSettings
from hwgen.data_files import load_data
from hwgen.deploy import wheel
from hwgen.deploy.package import package_archive, package_files, package_name
from hwgen.emit.hwh import hwh
from hwgen.emit.rtl import FOLDER, rtl_project
from hwgen.golden.interpreter import Interpreter
from hwgen.program.engine import EngineConfig
from hwgen.program.memory import stripe
from hwgen.program.registers import HLS_VLNV, RTL_VLNV
from hwgen.sim.rtl_build import Options, compile_rtl
from tests.conftest import small_images, small_program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    hardware_handoffs(folder / "hwh")
    packages(folder / "packages")
    driver_wheel(folder / "wheel")
    simulated_board(folder / "simulated", folder / "simulator")
    simulator(load_board("zcu102").engine, folder / "simulators" / "fashion")


def hardware_handoffs(folder: Path) -> None:
    """``<board>.hwh`` of the default engine of each board, ``hls.hwh`` of the C++ engine, and
    ``engines.json``: the sizes of the engine of each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    boards = {name: load_board(name) for name in board_names()}
    cases = {name: (board, board.engine, RTL_VLNV) for name, board in boards.items()}
    cases["hls"] = (boards["zcu102"], EngineConfig(lanes=32), HLS_VLNV)
    for name, (board, engine, vlnv) in cases.items():
        (folder / f"{name}.hwh").write_bytes(hwh(board, engine, vlnv))
    engines = {name: asdict(engine) for name, (_, engine, _) in cases.items()}
    (folder / "engines.json").write_text(json.dumps(engines, indent=2))


def packages(folder: Path) -> None:
    """Packages of the shipped models for the ZCU102, with 16 test images: ``fashion.zip``,
    ``fashion_pruned.zip``, ``fashion_batch.zip`` (four images a run); ``wrong_engine.zip``, built
    for an engine of 32 lanes, and ``wrong_board.zip``, built for a KV260.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shipped = Path(hwgen.__file__).parent / "data"
    calibration = load_data(shipped / "fashion_calibration.npz")
    test = load_data(shipped / "fashion_test.npz")
    smaller = Config(engine=EngineSettings(lanes=32))
    model, pruned = shipped / "fashion_vit.onnx", shipped / "fashion_vit_pruned.onnx"
    for name, onnx, board, config, batch in (
        ("fashion", model, "zcu102", None, 1),
        ("fashion_pruned", pruned, "zcu102", None, 1),
        ("fashion_batch", model, "zcu102", None, 4),
        ("wrong_engine", model, "zcu102", smaller, 1),
        ("wrong_board", model, "kv260", None, 1),
    ):
        design = hwgen.build(onnx, board, config, calibration, batch=batch)
        content = package_archive(package_name(design), package_files(design, test, images=16))
        (folder / f"{name}.zip").write_bytes(content)


def driver_wheel(folder: Path) -> None:
    """The wheel of the driver, and no other."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    (folder / wheel.NAME).write_bytes(wheel.driver_wheel())


def simulated_board(folder: Path, simulator: Path) -> None:
    """A small engine: ``simulator`` holds the path of its compiled simulator, the folder its
    ``hwgen.bit`` and ``hwgen.hwh``, and in ``runs.npz`` what it takes and gives: ``program``,
    ``weights``, ``inputs`` as they lie in DDR, ``outputs`` of the reference interpreter.
    """
    program = small_program()
    beats = small_images(3, program)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hwgen.hwh").write_bytes(hwh(load_board("zcu102"), program.engine))
    (folder / "hwgen.bit").write_text("Simulated.\n")
    np.savez(
        folder / "runs.npz",
        program=program.image.astype("<u4").view(np.uint8).reshape(-1),
        weights=stripe(program.weights),
        inputs=np.stack([stripe(run) for run in beats]),
        outputs=Interpreter(program).run_all(beats),
    )
    simulator.write_text(f"{_compiled(program.engine, Options(twin=True))}\n")


def simulator(engine: EngineConfig, place: Path) -> None:
    """The compiled simulator of an engine, every DSP slice of it, as a link."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(_compiled(engine, Options()))


def _compiled(engine: EngineConfig, options: Options) -> Path:
    files = rtl_project(engine)
    return compile_rtl(
        {name.removeprefix(f"{FOLDER}/"): data for name, data in files.items()}, options
    )


if __name__ == "__main__":
    main()
