# SPDX-License-Identifier: Apache-2.0
"""The driver and the engine itself: the RTL, simulated, behind pynq."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hwgen.driver import Accelerator, errors
from hwgen.golden.selections import selections, stages
from hwgen.program.engine import EngineConfig
from hwgen.program.memory import unstripe
from hwgen.program.program import InputLayout, OutputLayout, Program, decode_image
from hwgen.rehearsal import SimulatedDevice

TIMEOUT_S = 300.0
"""Of a run on a machine that has much to do."""


@pytest.fixture(scope="module")
def device(prepared: Path) -> Iterator[SimulatedDevice]:
    with SimulatedDevice(prepared / "simulators" / "fashion") as simulated:
        yield simulated


@pytest.fixture(params=["interrupt", "poll"])
def accelerator(
    prepared: Path, device: SimulatedDevice, request: pytest.FixtureRequest
) -> Iterator[Accelerator]:
    """The pruned model, which is the quicker one."""
    with _load(prepared, device, request.param) as loaded:
        yield loaded
    device.faults.clear()


@pytest.fixture
def interrupted(prepared: Path, device: SimulatedDevice) -> Iterator[Accelerator]:
    with _load(prepared, device, "interrupt") as loaded:
        yield loaded
    device.faults.clear()


def _load(prepared: Path, device: SimulatedDevice, wait: str) -> Accelerator:
    package = prepared / "packages" / "fashion_pruned.zip"
    return Accelerator.load(package, device=device, wait=wait, timeout_s=TIMEOUT_S)


def right(accelerator: Accelerator) -> None:
    """The next prediction is what it must be."""
    images, _, outputs = accelerator.examples()
    assert np.array_equal(accelerator.predict(images[:1]).integers, outputs[:1])


def test_predictions(prepared: Path, device: SimulatedDevice) -> None:
    with Accelerator.load(
        prepared / "packages" / "fashion.zip", device=device, timeout_s=TIMEOUT_S
    ) as accelerator:
        assert accelerator.by_interrupt
        images, _, outputs = accelerator.examples()
        found = accelerator.predict(images[:3])
    assert np.array_equal(found.integers, outputs[:3])
    assert np.array_equal(found.labels, outputs[:3].argmax(axis=1))


@pytest.mark.parametrize("count", [3, 6])
def test_four_images_a_run(prepared: Path, device: SimulatedDevice, count: int) -> None:
    """The last run is filled up, the only one and the second one."""
    with Accelerator.load(
        prepared / "packages" / "fashion_batch.zip", device=device, timeout_s=TIMEOUT_S
    ) as accelerator:
        assert accelerator.batch == 4
        images, _, outputs = accelerator.examples()
        found = accelerator.predict(images[:count])
    assert np.array_equal(found.integers, outputs[:count])


def test_the_pruned_model(accelerator: Accelerator) -> None:
    images, _, outputs = accelerator.examples()
    assert np.array_equal(accelerator.predict(images[:2]).integers, outputs[:2])


def test_other_coroutines_run_meanwhile(accelerator: Accelerator) -> None:
    images, _, outputs = accelerator.examples()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async def both() -> np.ndarray:
        ticking = asyncio.ensure_future(tick())
        found = await accelerator.predict_async(images[:1])
        ticking.cancel()
        return found.integers

    assert np.array_equal(asyncio.run(both()), outputs[:1])
    assert ticks >= 3


def test_the_counters_agree_with_the_prediction(interrupted: Accelerator) -> None:
    images, _, _ = interrupted.examples()
    found = interrupted.profile(images[:1])
    assert found.cycles == (interrupted.registers()["cycles"],)
    # What pruning leaves differs from image to image.
    assert found.cycles[0] == pytest.approx(interrupted.manifest.predicted.cycles, rel=0.2)
    assert all(0 <= counts[0] < found.cycles[0] / 2 for counts in found.stalls.values())
    assert sum(counts[0] for counts in found.stalls.values()) > 0
    assert found.engine_ms == pytest.approx(found.cycles[0] / interrupted.manifest.clock_mhz / 1e3)


def test_the_self_test_names_a_port(device: SimulatedDevice, interrupted: Accelerator) -> None:
    interrupted.self_test().check()
    device.faults.corrupt_port(interrupted.manifest.engine.ports - 1, 1 << 3)
    found = interrupted.self_test()
    assert not found.passed
    assert re.match(rf"memory port {interrupted.manifest.engine.ports - 1} ", found.failures[0])
    device.faults.clear()
    assert interrupted.self_test().passed
    right(interrupted)


def test_selections(prepared: Path, interrupted: Accelerator, tmp_path: Path) -> None:
    images, _, _ = interrupted.examples()
    found = interrupted.selections(images[:2])
    program = _model(interrupted)
    runs = selections(program, program.input.pack(images[:2], program.engine.lanes))
    expected = [[stage.patches for stage in stages(program, run)] for run in runs]
    assert np.array_equal(np.stack(found, axis=1), np.array(expected))
    assert found[0].sum() > found[-1].sum()


def test_memory_that_answers_with_an_error(
    device: SimulatedDevice, accelerator: Accelerator
) -> None:
    weights = accelerator.registers()["weights"] or device.default_memory.base_address
    device.faults.memory_error(weights, weights + (1 << 24))
    images, _, _ = accelerator.examples()
    with pytest.raises(errors.MemoryFaultError, match=r"^image 0: .* error code 5, MEMORY: "):
        accelerator.predict(images[:1])
    device.faults.clear()
    right(accelerator)


def test_memory_that_stops_answering(device: SimulatedDevice, interrupted: Accelerator) -> None:
    device.faults.freeze_memory()
    images, _, _ = interrupted.examples()
    with pytest.raises(errors.EngineStalledError, match="error code 6, WATCHDOG: nothing moved"):
        interrupted.predict(images[:1])
    device.faults.clear()
    right(interrupted)


def test_a_run_that_takes_too_long(accelerator: Accelerator) -> None:
    images, _, _ = accelerator.examples()
    with pytest.raises(errors.RunTimeoutError, match=r"image 0 did not end within 0\.05 s"):
        accelerator.predict(images[:1], timeout_s=0.05)
    right(accelerator)


def test_an_interrupt_that_is_lost(device: SimulatedDevice, interrupted: Accelerator) -> None:
    device.faults.lose_interrupts()
    images, _, _ = interrupted.examples()
    with pytest.raises(errors.InterruptLostError, match=r"image 0 ended, and its interrupt did"):
        interrupted.predict(images[:1])
    device.faults.clear()
    right(interrupted)


def test_ctrl_c(accelerator: Accelerator) -> None:
    images, _, _ = accelerator.examples()
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        accelerator.predict(images)
    timer.join()
    right(accelerator)


def test_another_process_has_the_board(prepared: Path, device: SimulatedDevice) -> None:
    code = (
        "import sys; from hwgen.driver.lock import DeviceLock\n"
        "lock = DeviceLock(sys.argv[1]); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, device.tag], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"locked\n"
        with pytest.raises(errors.DeviceBusyError, match=f"another process \\({process.pid}\\)"):
            _load(prepared, device, "auto")
        process.communicate()
    with _load(prepared, device, "auto") as accelerator:
        right(accelerator)


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("wrong_board", errors.WrongBoardError, "is for the board kv260; this one is ZCU102"),
        ("wrong_engine", errors.WrongEngineError, "The engine in the bitstream has the digest"),
    ],
)
def test_packages_of_something_else(
    prepared: Path, device: SimulatedDevice, name: str, kind: type[Exception], reason: str
) -> None:
    with pytest.raises(kind, match=reason):
        Accelerator.load(prepared / "packages" / f"{name}.zip", device=device)


def _model(accelerator: Accelerator) -> Program:
    """The model's program, from the package's files."""
    folder = Path(accelerator.overlay.bitfile_name).parent / "programs" / "model"
    data = json.loads((folder / "model.json").read_text())
    fields = {key: value for key, value in data["engine"].items() if key != "digest"}
    engine = EngineConfig(**fields)
    image = np.fromfile(folder / "program.bin", "<u4").reshape(-1, 16)
    beats = unstripe(np.fromfile(folder / "weights.bin", np.uint8), engine.lanes)
    return Program(
        name=data["name"],
        engine=engine,
        instructions=decode_image(image, engine),
        labels=tuple(data["labels"]),
        weights=beats[: data["weight_beats"]],
        input=InputLayout(**data["input"]),
        output=OutputLayout(**data["output"]),
    )
