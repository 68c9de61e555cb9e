# SPDX-License-Identifier: Apache-2.0
"""Loading, predicting and closing, and all that can go wrong on the way."""

import asyncio
import gc
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Tiny
from fake_engine import fake_device
from pynq import Overlay
from pynq.pl_server.device import Device
from tiny_package import CLASSES, describe_anew, expected_integers, tiny_images, zip_package

import hwgen.driver.runner
from hwgen.driver import Accelerator, Prediction, errors
from hwgen.driver.lock import DeviceLock
from hwgen.program.status import ErrorCode
from hwgen.rehearsal import SimulatedDevice

IMAGES = tiny_images(5)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hwgen.driver.runner, "QUIET_S", 0.1)


@pytest.fixture
def accelerator(tiny: Tiny) -> Iterator[Accelerator]:
    with Accelerator.load(tiny.package, device=tiny.device) as loaded:
        yield loaded


def right(tiny: Tiny, accelerator: Accelerator) -> None:
    """The next prediction is what it must be."""
    found = accelerator.predict(IMAGES)
    assert np.array_equal(found.integers, expected_integers(tiny.program, IMAGES))


def buffers(device: SimulatedDevice) -> int:
    """Buffers that are allocated."""
    gc.collect()
    return device.default_memory.num_buffers


def undone(tiny: Tiny) -> None:
    """Nothing is left of a load that failed."""
    DeviceLock(tiny.device.tag).release()
    assert not hasattr(tiny.device, "mem_dict") or buffers(tiny.device) == 0


def edit_manifest(tiny: Tiny, **changes: object) -> None:
    path = tiny.package / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# ---- What it is for --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_predictions(tiny: Tiny, accelerator: Accelerator, count: int) -> None:
    images = tiny_images(count)
    starts = tiny.engine.starts
    found = accelerator.predict(images)
    assert isinstance(found, Prediction)
    expected = expected_integers(tiny.program, images)
    assert np.array_equal(found.integers, expected) and found.integers.dtype == np.int16
    assert np.array_equal(found.scores, expected * np.float32(0.5))
    assert found.scores.dtype == np.float32
    assert np.array_equal(found.labels, expected.argmax(axis=1))
    assert found.labels.dtype == np.int64
    assert tiny.engine.starts - starts == -(-count // 2)


def test_one_image_alone(tiny: Tiny, accelerator: Accelerator) -> None:
    found = accelerator.predict(IMAGES[3, :, :, 0])
    assert found.labels.shape == (1,)
    assert np.array_equal(found.integers[0], expected_integers(tiny.program, IMAGES)[3])


def test_what_an_accelerator_says_of_itself(tiny: Tiny, accelerator: Accelerator) -> None:
    assert (accelerator.board, accelerator.classes) == ("ultra96v2", CLASSES)
    assert (accelerator.input_shape, accelerator.batch) == ((4, 4, 1), 2)
    assert accelerator.manifest.name == "tiny-ultra96v2"
    images, labels, outputs = accelerator.examples()
    assert labels is not None and len(labels) == len(images) == 3
    assert np.array_equal(accelerator.predict(images).integers, outputs)


def test_examples_without_labels(tiny: Tiny) -> None:
    path = tiny.package / "examples.npz"
    np.savez(path, images=IMAGES, outputs=expected_integers(tiny.program, IMAGES))
    describe_anew(tiny.package, "examples.npz")
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        assert accelerator.examples().labels is None


def test_a_zip_file(tiny: Tiny, tmp_path: Path) -> None:
    path = zip_package(tiny.package, tmp_path / "tiny.zip")
    with Accelerator.load(str(path), device=tiny.device) as accelerator:
        path.unlink()
        folder = Path(accelerator.overlay.bitfile_name).parent
        right(tiny, accelerator)
        tiny.engine.hangs = True
        with pytest.raises(errors.RunTimeoutError):
            accelerator.predict(IMAGES, timeout_s=0.05)
        tiny.engine.hangs = False
        right(tiny, accelerator)
    assert not folder.exists()


def test_the_active_device_is_used(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    Device.active_device = tiny.device
    with Accelerator.load(tiny.package) as accelerator:
        right(tiny, accelerator)


def test_memory_above_4_gib(tiny: Tiny) -> None:
    with (
        fake_device(tiny.program, base=0x8_7000_0000) as (device, _),
        Accelerator.load(tiny.package, device=device) as accelerator,
    ):
        right(tiny, accelerator)
        assert accelerator.registers()["weights"] > 1 << 32


def test_the_engine_of_vitis_hls(tiny_hls: Tiny) -> None:
    with Accelerator.load(tiny_hls.package, device=tiny_hls.device) as accelerator:
        right(tiny_hls, accelerator)
        assert "cycles" not in accelerator.registers()


# ---- Loading ---------------------------------------------------------------------------------


def test_a_damaged_package_touches_nothing(tiny: Tiny) -> None:
    (tiny.package / "hwgen.bit").write_bytes(b"damaged")
    with pytest.raises(errors.CorruptPackageError, match=r"hwgen\.bit: it has 7 bytes"):
        Accelerator.load(tiny.package, device=tiny.device)
    assert tiny.engine.resets == 0
    undone(tiny)


def test_another_board(tiny: Tiny) -> None:
    tiny.device.name = "ZCU104"
    with pytest.raises(errors.WrongBoardError) as error:
        Accelerator.load(tiny.package, device=tiny.device)
    assert str(error.value) == (
        "The package tiny-ultra96v2 is for the board ultra96v2; this one is ZCU104. Build the "
        "model for this board with 'hwgen build --board', and make a package of that."
    )
    assert tiny.engine.resets == 0
    undone(tiny)


@pytest.mark.parametrize("name", ["---", "Ultra97", "KV260"])
def test_names_of_other_boards(tiny: Tiny, name: str) -> None:
    tiny.device.name = name
    with pytest.raises(errors.WrongBoardError, match=f"this one is {name}"):
        Accelerator.load(tiny.package, device=tiny.device)
    tiny.device.name = "Ultra96"
    edit_manifest(tiny, board="")
    with pytest.raises(errors.WrongBoardError, match="is for the board ; this one is Ultra96"):
        Accelerator.load(tiny.package, device=tiny.device)


@pytest.mark.parametrize("name", ["ULTRA96V2", "Ultra96", "ultra96-v2"])
def test_names_of_the_same_board(tiny: Tiny, name: str) -> None:
    tiny.device.name = name
    Accelerator.load(tiny.package, device=tiny.device).close()


@pytest.mark.parametrize("name", ["", "Unknown", "edge", None])
def test_a_board_without_a_name(tiny: Tiny, name: str | None) -> None:
    tiny.device.name = name
    with pytest.warns(UserWarning, match="does not say what it is.*The package is for ultra96v2"):
        Accelerator.load(tiny.package, device=tiny.device).close()


def test_a_package_of_simulation_on_a_real_board(tiny: Tiny) -> None:
    tiny.device.capabilities = {"REGISTER_RW": True}
    with pytest.raises(errors.BitstreamError, match="has no bitstream: it was made without Vivado"):
        Accelerator.load(tiny.package, device=tiny.device)
    assert tiny.engine.resets == 0
    undone(tiny)
    edit_manifest(tiny, bitstream={"made_by": "vivado", "engine": "rtl", "tool": "Vivado v2024.1"})
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        right(tiny, accelerator)


@pytest.mark.parametrize("error", [OSError("Root permissions required."), RuntimeError("no")])
def test_a_bitstream_that_cannot_be_loaded(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def download(*_: object) -> None:
        raise error

    monkeypatch.setattr(tiny.device, "download", download)
    reason = str(error).rstrip(".")
    expected = f"pynq cannot load the bitstream {tiny.package / 'hwgen.bit'}: {reason}. On a board"
    with pytest.raises(errors.BitstreamError, match=re.escape(expected)):
        Accelerator.load(tiny.package, device=tiny.device)
    undone(tiny)


def test_an_engine_that_cannot_be_reached(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def mapped(*_: object, **__: object) -> None:
        raise OSError("Root permissions required.")

    monkeypatch.setattr("pynq.overlay.MMIO", mapped)
    with pytest.raises(errors.BitstreamError, match=r"Root permissions required\. On a board"):
        Accelerator.load(tiny.package, device=tiny.device)
    undone(tiny)


def test_no_engine(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwgen.driver.engine.HwgenEngine.bindto", ["a:b:c:1.0"])
    with pytest.raises(errors.NoEngineError) as error:
        Accelerator.load(tiny.package, device=tiny.device)
    assert str(error.value) == (
        f"The bitstream {tiny.package / 'hwgen.bit'} must hold one hwgen engine (a:b:c:1.0). It "
        "holds hwgen_engine_0 (hwgen:overlay:hwgen_engine:1.0), axi_intc_0 "
        "(xilinx.com:ip:axi_intc:4.1), zynq_ultra_ps_e_0 (xilinx.com:ip:zynq_ultra_ps_e:3.5). "
        "Use the .bit and .hwh that belong to the package."
    )
    undone(tiny)


def test_several_engines(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ["hwgen:overlay:hwgen_engine:1.0", "xilinx.com:ip:axi_intc:4.1"]
    monkeypatch.setattr("hwgen.driver.engine.HwgenEngine.bindto", kinds)
    with pytest.raises(errors.NoEngineError, match="must hold one hwgen engine"):
        Accelerator.load(tiny.package, device=tiny.device)
    undone(tiny)


def test_another_engine(tiny: Tiny) -> None:
    tiny.engine.digest = 0x12345678
    with pytest.raises(errors.WrongEngineError) as error:
        Accelerator.load(tiny.package, device=tiny.device)
    assert str(error.value) == (
        "The engine in the bitstream has the digest 0x12345678; the programs of the package "
        f"tiny-ultra96v2 need {tiny.program.engine.digest:#010x}. Make bitstream and package from "
        "the same design."
    )
    undone(tiny)


def test_too_little_memory(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 4

    def allocate(*arguments: object, **options: object) -> object:
        if tiny.device.default_memory.num_buffers == limit:
            raise RuntimeError("BO allocation failed")
        return type(tiny.device).allocate(tiny.device, *arguments, **options)

    monkeypatch.setattr(tiny.device, "allocate", allocate)
    expected = r"gives no buffer of 256 bytes \(BO allocation failed\)\. End other programs"
    with pytest.raises(errors.OutOfMemoryError, match=expected):
        Accelerator.load(tiny.package, device=tiny.device)
    undone(tiny)
    monkeypatch.undo()
    Accelerator.load(tiny.package, device=tiny.device).close()


def test_no_device(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pynq.pl_server.device.DeviceMeta._subclasses", {})
    for name in ("_devices", "_active_device"):
        monkeypatch.delattr(Device, name, raising=False)
    with (
        pytest.raises(errors.NoDeviceError, match="pynq has no device here"),
        pytest.warns(UserWarning, match="No devices found"),
    ):
        Accelerator.load(tiny.package)


def test_a_machine_without_pynq() -> None:
    code = (
        "import sys; sys.modules['pynq'] = None\n"
        "from hwgen.driver.errors import NoDeviceError\n"
        "import hwgen.driver, hwgen.driver.manifest, hwgen.driver.diagnosis\n"
        "try: hwgen.driver.Accelerator\n"
        "except NoDeviceError as error: print(error)\n"
        "try: hwgen.driver.Other\n"
        "except AttributeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "pynq is not installed here. Boards with PYNQ have it; elsewhere install it with "
        "'pip install pynq' and name a board in PYNQ_REMOTE_DEVICES.",
        "module 'hwgen.driver' has no attribute 'Other'",
    ]


# ---- One at a time ---------------------------------------------------------------------------


def test_another_process_has_the_device(tiny: Tiny) -> None:
    code = (
        "import sys; from hwgen.driver.lock import DeviceLock\n"
        "lock = DeviceLock(sys.argv[1]); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tiny.device.tag],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"locked\n"
        with pytest.raises(errors.DeviceBusyError, match=f"another process \\({process.pid}\\)"):
            Accelerator.load(tiny.package, device=tiny.device)
        assert tiny.engine.resets == 0
        process.communicate()
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        right(tiny, accelerator)


def test_loading_again_closes_the_first(tiny: Tiny) -> None:
    """As when a notebook's cell is run again."""
    first = Accelerator.load(tiny.package, device=tiny.device)
    second = Accelerator.load(tiny.package, device=tiny.device)
    with pytest.raises(errors.UnsupportedError, match="This accelerator is closed"):
        first.predict(IMAGES)
    right(tiny, second)
    first.close()
    right(tiny, second)
    second.close()
    undone(tiny)


def test_closed_accelerators(tiny: Tiny, tmp_path: Path) -> None:
    package = zip_package(tiny.package, tmp_path / "tiny.zip")
    accelerator = Accelerator.load(package, device=tiny.device)
    accelerator.close()
    accelerator.close()
    for call in (
        lambda: accelerator.predict(IMAGES),
        lambda: accelerator.self_test(),
        lambda: accelerator.registers(),
        lambda: accelerator.examples(),
    ):
        with pytest.raises(errors.UnsupportedError, match="closed.* Load the package again"):
            call()
    undone(tiny)


def test_an_accelerator_that_is_forgotten(tiny: Tiny) -> None:
    accelerator = Accelerator.load(tiny.package, device=tiny.device)
    right(tiny, accelerator)
    del accelerator
    gc.collect()
    undone(tiny)


def test_closing_in_the_midst_of_a_run(tiny: Tiny, tmp_path: Path) -> None:
    package = zip_package(tiny.package, tmp_path / "tiny.zip")
    accelerator = Accelerator.load(package, device=tiny.device)
    tiny.engine.run_s = 0.5
    found: list[Prediction] = []
    thread = threading.Thread(target=lambda: found.append(accelerator.predict(IMAGES[:2])))
    thread.start()
    while not tiny.engine.running:
        time.sleep(0.01)
    with pytest.raises(errors.DeviceBusyError, match="Another call of this accelerator"):
        accelerator.close()
    with pytest.raises(errors.DeviceBusyError, match="Another call of this accelerator"):
        Accelerator.load(package, device=tiny.device)
    with pytest.raises(errors.DeviceBusyError, match="by another process"):
        DeviceLock(tiny.device.tag)
    thread.join()
    assert np.array_equal(found[0].integers, expected_integers(tiny.program, IMAGES[:2]))
    tiny.engine.run_s = 0.002
    right(tiny, accelerator)
    assert tiny.engine.resets == 1
    accelerator.close()
    undone(tiny)


def test_a_copy_of_the_process(tiny: Tiny, accelerator: Accelerator) -> None:
    """As ``multiprocessing`` makes them."""
    calls = {
        "predict": lambda: accelerator.predict(IMAGES),
        "predict_async": lambda: asyncio.run(accelerator.predict_async(IMAGES)),
        "registers": accelerator.registers,
        "self_test": accelerator.self_test,
        "load": lambda: Accelerator.load(tiny.package, device=tiny.device),
        "close": accelerator.close,
    }
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        with os.fdopen(writing, "w") as said:
            for name, call in calls.items():
                try:
                    call()
                    print(name, "done", file=said)
                except errors.DeviceBusyError as error:
                    print(name, error, file=said)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        lines = said.read().splitlines()
    assert os.waitpid(child, 0) == (child, 0)
    copy = f"The device is in use by the process that loaded the package ({os.getpid()}), of which"
    other = f"The device '{tiny.device.tag}' is in use by another process ({os.getpid()})."
    starts = [f"{name} {copy}" for name in list(calls)[:4]] + [f"load {other}", "close done"]
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True)), lines
    with pytest.raises(errors.DeviceBusyError):
        DeviceLock(tiny.device.tag)
    right(tiny, accelerator)
    assert tiny.engine.resets == 1


def test_closing_stops_a_run(tiny: Tiny) -> None:
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        tiny.engine.hangs = True
        with pytest.raises(errors.RunTimeoutError):
            accelerator.predict(IMAGES, timeout_s=0.05)
    assert not tiny.engine.running and tiny.engine.resets == 2
    undone(tiny)


def test_another_bitstream_in_the_same_process(tiny: Tiny, accelerator: Accelerator) -> None:
    right(tiny, accelerator)
    Overlay(str(tiny.package / "hwgen.bit"), device=tiny.device)
    for _ in range(2):
        with pytest.raises(errors.BitstreamError, match="Another bitstream was loaded since"):
            accelerator.predict(IMAGES)
    with pytest.raises(errors.BitstreamError, match="load the package again"):
        accelerator.registers()
    accelerator.close()
    with Accelerator.load(tiny.package, device=tiny.device) as again:
        right(tiny, again)


# ---- Runs that fail --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ErrorCode.BAD_HEADER, errors.ProgramRejectedError),
        (ErrorCode.WRONG_ENGINE, errors.WrongEngineError),
        (ErrorCode.UNKNOWN_OPCODE, errors.ProgramRejectedError),
        (ErrorCode.OUT_OF_RANGE, errors.ProgramRejectedError),
        (ErrorCode.MEMORY, errors.MemoryFaultError),
        (ErrorCode.WATCHDOG, errors.EngineStalledError),
    ],
)
@pytest.mark.parametrize("wait", ["interrupt", "poll"])
def test_error_codes(
    tiny: Tiny, code: ErrorCode, kind: type[errors.DriverError], wait: str
) -> None:
    with Accelerator.load(tiny.package, device=tiny.device, wait=wait) as accelerator:
        tiny.engine.error = code
        with pytest.raises(kind, match=rf"^run 0 \(images 0 to 1\): .* code {int(code)}, "):
            accelerator.predict(IMAGES)
        tiny.engine.error = ErrorCode.NONE
        right(tiny, accelerator)


def test_a_program_that_is_overwritten(tiny: Tiny, accelerator: Accelerator) -> None:
    tiny.engine._region(accelerator.engine.value("program") or tiny.engine.base, 64)[:] = 0
    with pytest.raises(errors.ProgramRejectedError, match="code 1, BAD_HEADER: no program at this"):
        accelerator.predict(IMAGES)


@pytest.mark.parametrize("written", [0, 5, 127])
def test_output_that_is_missing(tiny: Tiny, accelerator: Accelerator, written: int) -> None:
    right(tiny, accelerator)
    tiny.engine.writes = written
    with pytest.raises(errors.OutputMissingError) as error:
        accelerator.predict(IMAGES)
    assert str(error.value).startswith(
        "run 0 (images 0 to 1): the engine ended without an error and left "
        f"{128 - written} of 128 numbers of its output unwritten."
    )
    tiny.engine.writes = None
    right(tiny, accelerator)


def test_memory_is_written_again_with_the_bitstream(tiny: Tiny, accelerator: Accelerator) -> None:
    right(tiny, accelerator)
    tiny.engine.hangs = True
    with pytest.raises(errors.RunTimeoutError):
        accelerator.predict(IMAGES, timeout_s=0.05)
    tiny.engine.hangs = False
    tiny.engine._region(accelerator.registers()["weights"], 64)[:] = 0
    right(tiny, accelerator)


def test_loading_the_bitstream_again_is_broken_off(
    tiny: Tiny, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    tiny.engine.hangs = True
    with pytest.raises(errors.RunTimeoutError):
        accelerator.predict(IMAGES, timeout_s=0.05)
    tiny.engine.hangs = False
    weights = accelerator.registers()["weights"]
    with monkeypatch.context() as patch:
        patch.setattr(hwgen.driver.runner, "check_identity", interrupt)
        with pytest.raises(KeyboardInterrupt):
            accelerator.predict(IMAGES)
    tiny.engine._region(weights, 64)[:] = 0
    resets = tiny.engine.resets
    right(tiny, accelerator)
    assert tiny.engine.resets == resets + 1


def test_nobody_counts_between_runs(
    tiny: Tiny, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each access would lengthen the engine's pause."""
    asked = []
    monkeypatch.setattr(accelerator.engine, "counters", lambda: asked.append(1) or {})
    right(tiny, accelerator)
    assert not asked
    accelerator.profile(IMAGES)
    assert len(asked) == 3


def test_buffers_are_the_same_call_after_call(tiny: Tiny, accelerator: Accelerator) -> None:
    accelerator.predict(IMAGES)
    before = buffers(tiny.device)
    assert before == 6
    for _ in range(3):
        accelerator.predict(IMAGES)
        accelerator.self_test()
    assert buffers(tiny.device) == before


def test_bad_images_start_nothing(tiny: Tiny, accelerator: Accelerator) -> None:
    for call in (accelerator.predict, accelerator.profile, accelerator.selections):
        with pytest.raises(errors.ImageError):
            call(IMAGES.astype(float))
    assert tiny.engine.starts == 0


def test_bad_timeouts(tiny: Tiny, accelerator: Accelerator) -> None:
    for given in (0, math.nan, math.inf):
        expected = f"timeout_s is {given}; it must be more than 0 seconds, and a day at most"
        with pytest.raises(errors.UnsupportedError, match=expected):
            accelerator.predict(IMAGES, timeout_s=given)


def test_a_failed_load_keeps_nothing_while_its_error_is_kept(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocate(*_: object, **__: object) -> None:
        raise RuntimeError("BO allocation failed")

    with monkeypatch.context() as patch:
        patch.setattr(tiny.device, "allocate", allocate)
        with pytest.raises(errors.OutOfMemoryError) as kept:
            Accelerator.load(tiny.package, device=tiny.device)
    with Accelerator.load(tiny.package, device=tiny.device) as accelerator:
        accelerator.predict(IMAGES)
    assert kept.value


@pytest.mark.parametrize("kept", [0, 64])
def test_a_package_that_changed_is_not_loaded_again(
    tiny: Tiny, accelerator: Accelerator, kept: int
) -> None:
    path = tiny.package / "programs" / "model" / "weights.bin"
    whole = path.read_bytes()
    tiny.engine.hangs = True
    with pytest.raises(errors.RunTimeoutError):
        accelerator.predict(IMAGES, timeout_s=0.05)
    tiny.engine.hangs = False
    path.write_bytes(whole[:kept] + bytes(len(whole) - kept - kept // 64))
    with pytest.raises(errors.CorruptPackageError, match=r"weights\.bin: it"):
        accelerator.predict(IMAGES)
    path.write_bytes(whole)
    accelerator.predict(IMAGES)


def test_a_model_without_selectors(tiny: Tiny, accelerator: Accelerator) -> None:
    with pytest.raises(errors.UnsupportedError, match="keeps all patches: it has no token sel"):
        accelerator.selections(IMAGES)
