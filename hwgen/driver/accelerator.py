# SPDX-License-Identifier: Apache-2.0
"""A model on a board: load a package, give it images."""

import io
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np
from pynq import Overlay

from hwgen.driver.board import (
    check_board,
    choose_device,
    device_key,
    find_engine,
    load_overlay,
)
from hwgen.driver.clock import clock_note
from hwgen.driver.engine import HwgenEngine
from hwgen.driver.errors import ConnectionLostError, UnsupportedError
from hwgen.driver.execution import Execution, Job
from hwgen.driver.images import as_images
from hwgen.driver.lock import DeviceLock
from hwgen.driver.manifest import Manifest
from hwgen.driver.memory import ProgramMemory
from hwgen.driver.package import EXAMPLES, Package, open_package
from hwgen.driver.prediction import Prediction, prediction
from hwgen.driver.profile import Profile, profile
from hwgen.driver.program_files import MODEL, SELECTIONS, SELF_TEST
from hwgen.driver.remote import connection
from hwgen.driver.runner import Runner
from hwgen.driver.selections import run_selections
from hwgen.driver.self_test import SelfTestResult, run_self_test
from hwgen.driver.waiting import Wait

LONGEST_TIMEOUT_S = 86_400.0
"""Of one run."""

_loaded: "WeakValueDictionary[str, Accelerator]" = WeakValueDictionary()
"""The accelerator that each device was last loaded for, by this process."""


class Examples(NamedTuple):
    """Images that came with the package, and what the accelerator must say.

    ``images`` uint8 (N, height, width, channels); ``labels`` int64 (N,), None where they are not
    known; ``outputs`` int16 (N, classes), which ``Prediction.integers`` must equal.
    """

    images: np.ndarray
    labels: "np.ndarray | None"
    outputs: np.ndarray


class Accelerator:
    """A model in an engine on a board. ``load`` makes one; close it in the end, or use ``with``.

    Attributes:
        manifest: of the package.
        engine: the registers, as pynq's driver of the IP.
        overlay: pynq's, with all that is in the bitstream.
    """

    def __init__(
        self,
        package: Package,
        device: Any,
        overlay: Overlay,
        engine: HwgenEngine,
        runner: Runner,
        timeout_s: float,
    ) -> None:
        """Use ``load``."""
        self.manifest: Manifest = package.manifest
        self.engine = engine
        self.overlay = overlay
        self._package, self._device, self._runner = package, device, runner
        self._resources, self._timeout_s = ExitStack(), timeout_s
        self._model: ProgramMemory = runner.load(device, MODEL)

    @classmethod
    @connection()
    def load(
        cls,
        package: "str | Path",
        *,
        device: Any = None,
        wait: Wait = "auto",
        timeout_s: float = 30.0,
    ) -> "Accelerator":
        """Loads a package: its bitstream into the fabric, its model into memory.

        A process has one accelerator on a device: loading closes the one before. Other processes
        cannot load until it is closed.

        Args:
            package: the folder or zip file that ``hwgen package`` wrote.
            device: of pynq, the active one in general. It becomes the active one.
            wait: how to wait for the engine: by its interrupt (``interrupt``), by looking again
                and again (``poll``), or by interrupt where there is one (``auto``).
            timeout_s: seconds that a run may take.

        Raises:
            PackageError, CorruptPackageError: before anything is touched.
            NoDeviceError, DeviceBusyError, WrongBoardError, BitstreamError: before or while the
                bitstream is loaded.
            NoEngineError, WrongEngineError, UnsupportedError, OutOfMemoryError: after that.
            ConnectionLostError: at any time, from a remote board.
        """
        _check_timeout(timeout_s)
        with ExitStack() as resources:
            opened = resources.enter_context(open_package(Path(package)))
            device = choose_device(device)
            check_board(opened.manifest, device)
            key = device_key(device)
            if (before := _loaded.get(key)) is not None:
                before.close()
            resources.callback(DeviceLock(key).release)
            overlay = load_overlay(opened, device)
            engine = find_engine(overlay, opened)
            runner = Runner(overlay, opened, engine, wait)
            resources.callback(runner.close)
            made = cls(opened, device, overlay, engine, runner, timeout_s)
            made._resources = resources.pop_all()
        _loaded[key] = made
        return made

    @property
    def board(self) -> str:
        """Name of the board that the package is for."""
        return self.manifest.board

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty where the model has none."""
        return self._model.classes

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        layout = self._model.input
        return (layout.height, layout.width, layout.channels)

    @property
    def batch(self) -> int:
        """Images that the engine takes at once."""
        return self._model.input.batch

    @property
    def by_interrupt(self) -> bool:
        """Whether runs are waited for by interrupt, where no event loop runs already."""
        return self._runner.by_interrupt

    @connection()
    def predict(self, images: Any, timeout_s: "float | None" = None) -> Prediction:
        """The model's answer to images. While the engine computes one run, the images of the next
        are packed and the results of the last are read.

        Args:
            images: uint8 (N, height, width, channels); (N, height, width) for one channel; or a
                single image without N.
            timeout_s: seconds that a run of ``batch`` images may take; as in ``load`` if None.

        Raises:
            ImageError: the images do not fit the model.
            RunTimeoutError, InterruptLostError: a run does not end, or does not tell.
            MemoryFaultError, EngineStalledError, ProgramRejectedError, OutputMissingError: a run
                ends, but not as it should.
            DeviceBusyError, BitstreamError, UnsupportedError: the engine is not free, not there any
                more, or closed.
            ConnectionLostError: a remote board does not answer.
        """
        job = self._job(images)
        return self._prediction(job, self._runner.run(job, self._timeout(timeout_s)))

    async def predict_async(self, images: Any, timeout_s: "float | None" = None) -> Prediction:
        """``predict``, while other coroutines run. Calls of several coroutines wait for each other.

        Raises:
            As ``predict``.
        """
        job, limit_s = self._job(images), self._timeout(timeout_s)
        with connection():
            return self._prediction(job, await self._runner.run_async(job, limit_s))

    @connection()
    def profile(self, images: Any, timeout_s: "float | None" = None) -> Profile:
        """How long ``predict`` takes for images, and what the engine counts meanwhile.

        Raises:
            As ``predict``.
        """
        start = time.monotonic()
        job = self._job(images, counted=True)
        execution = self._runner.run(job, self._timeout(timeout_s))
        self._prediction(job, execution)
        return profile(
            execution.counters,
            len(job.images),
            self.batch,
            self.manifest.clock_mhz,
            time.monotonic() - start,
            clock_note(self.overlay),
        )

    @connection()
    def self_test(self, timeout_s: "float | None" = None) -> SelfTestResult:
        """Runs numbers through all parts of the engine, and sees that nothing has overwritten the
        model in memory. Failures are in the result; ``check()`` of it raises them.

        Raises:
            DeviceBusyError, BitstreamError, OutOfMemoryError, CorruptPackageError: it cannot run.
        """
        limit_s = self._timeout(timeout_s)
        with self._runner.loaded(self._device, SELF_TEST) as memory:
            return run_self_test(
                self._device,
                self._package,
                self._model,
                memory,
                lambda job: self._runner.run(job, limit_s),
            )

    @connection()
    def selections(self, images: Any, timeout_s: "float | None" = None) -> list[np.ndarray]:
        """Which patches of the images are still there behind each token selector: for each one in
        order bool (N, patches), patches row by row.

        Raises:
            UnsupportedError: the model has no token selectors.
            As ``predict``.
        """
        limit_s, given = self._timeout(timeout_s), as_images(images, self._model.input)
        if SELECTIONS not in self.manifest.programs:
            raise UnsupportedError(
                f"The model of {self.manifest.name} keeps all patches: it has no token selectors. "
                "Prune it with 'hwgen prune' for some."
            )
        with self._runner.loaded(self._device, SELECTIONS) as memory:
            kept = run_selections(
                self._package, memory, given, lambda job: self._runner.run(job, limit_s)
            )
        return list(kept.values())

    def examples(self) -> Examples:
        """The package's examples. Raises CorruptPackageError, and UnsupportedError once closed."""
        self._runner.check()
        with np.load(io.BytesIO(self._package.read(EXAMPLES)), allow_pickle=False) as file:
            return Examples(file["images"], file.get("labels"), file["outputs"])

    @connection()
    def registers(self) -> dict[str, int]:
        """The engine's registers by name, in the order of their offsets. Reading them disturbs
        nothing: the done bit of CTRL, which goes when it is read, is remembered.
        """
        return self._runner.values()

    def close(self) -> None:
        """Stops the engine, gives memory back and lets others have the device. A second time does
        no harm. In a copy of the process that loaded the package (fork) it does nothing.

        Raises:
            DeviceBusyError: another thread or coroutine is predicting; nothing is closed.
        """
        if self._runner.forked:
            return
        # What a board keeps that does not answer cannot be given back.
        with suppress(ConnectionLostError), connection(), self._runner.alone():
            self._resources.close()

    def __enter__(self) -> "Accelerator":
        return self

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        trace: "TracebackType | None",
    ) -> None:
        self.close()

    def _job(self, images: Any, counted: bool = False) -> Job:
        return Job(self._model, as_images(images, self._model.input), counted=counted)

    def _prediction(self, job: Job, execution: Execution) -> Prediction:
        return prediction(execution.outputs, self._model.output, self.batch, len(job.images))

    def _timeout(self, timeout_s: "float | None") -> float:
        return self._timeout_s if timeout_s is None else _check_timeout(timeout_s)


def _check_timeout(timeout_s: float) -> float:
    """``timeout_s``, if it is one."""
    if not 0 < timeout_s <= LONGEST_TIMEOUT_S:
        raise UnsupportedError(
            f"timeout_s is {timeout_s!r}; it must be more than 0 seconds, and a day at most."
        )
    return timeout_s
