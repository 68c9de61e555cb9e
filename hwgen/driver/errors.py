# SPDX-License-Identifier: Apache-2.0
"""What can go wrong on a board, one class for each.

Each class's docstring says what happened and what to do; docs/driver.md has a table of them.
"""

from typing import ClassVar

from hwgen.errors import HwgenError
from hwgen.program.status import MEANING, ErrorCode


class DriverError(HwgenError):
    """Base of all errors of the driver.

    Attributes:
        usable: whether the accelerator works on after it. After others a package must be loaded
            first; the device is free for that, or closing the accelerator frees it.
    """

    usable: ClassVar[bool] = True


class PackageError(DriverError):
    """The package is not there, is none, or needs another version of the driver; name the folder or
    zip file that 'hwgen package' wrote, and install the wheel in its 'driver' folder.
    """

    usable = False


class CorruptPackageError(DriverError):
    """A file of the package is missing or changed, as it happens to copies that break off; copy the
    package to the board again.
    """

    usable = False


class NoDeviceError(DriverError):
    """There is no device for pynq to use; run on a board with PYNQ as root, or name a remote board
    in PYNQ_REMOTE_DEVICES.
    """

    usable = False


class WrongBoardError(DriverError):
    """The package was made for another board; make one for this board with 'hwgen build --board'
    and 'hwgen package'.
    """

    usable = False


class BitstreamError(DriverError):
    """The bitstream cannot be loaded, is only a stand-in for simulation, or was replaced by another
    one since; do what the message says, and load the package again.
    """

    usable = False


class NoEngineError(DriverError):
    """The bitstream holds no hwgen engine, or one with other registers; use the .bit and .hwh that
    belong to the package.
    """

    usable = False


class WrongEngineError(DriverError):
    """The engine in the bitstream is not the one that the package's programs were compiled for;
    make bitstream and package from the same design.
    """

    usable = False


class DeviceBusyError(DriverError):
    """Another process, or another call in this one, is using the device; end it or wait for it."""


class ConnectionLostError(DriverError):
    """A remote board stopped answering, or was started anew; see that it runs and that the network
    reaches it, and load the package again.
    """

    usable = False


class OutOfMemoryError(DriverError):
    """The board has too little contiguous memory left for the buffers; end other programs that hold
    some, such as notebooks, or give Linux more with the kernel argument cma=.
    """


class ImageError(DriverError):
    """The images have another type or shape than the model takes, or there is none; convert them as
    the message says.
    """


class UnsupportedError(DriverError):
    """This device, bitstream or model cannot do what was asked for; do what the message says
    instead.
    """


class RunTimeoutError(DriverError):
    """A run did not end in time; give more time with timeout_s, and run the self-test if that does
    not help.
    """


class InterruptLostError(DriverError):
    """A run ended and its interrupt never came; load the package with wait="poll", and see that the
    interrupt is connected and no other program waits for it.
    """


class MemoryFaultError(DriverError):
    """A memory port of the engine was answered with an error; load the package again, and run the
    self-test to see which port.
    """


class EngineStalledError(DriverError):
    """Memory stopped answering and the engine's watchdog ended the run; run the self-test, and see
    that the bitstream met its timing.
    """


class ProgramRejectedError(DriverError):
    """The engine found its program damaged: memory was overwritten, or is read wrongly; load the
    package again, and run the self-test if that does not help.
    """


class OutputMissingError(DriverError):
    """A run ended without an error and left places of its output unwritten; load the package again,
    and run the self-test if that does not help.
    """


class SelfTestError(DriverError):
    """The self-test found a fault; the message names the suspected part of the engine or board."""


_CLASSES: dict[ErrorCode, type[DriverError]] = {
    ErrorCode.BAD_HEADER: ProgramRejectedError,
    ErrorCode.WRONG_ENGINE: WrongEngineError,
    ErrorCode.UNKNOWN_OPCODE: ProgramRejectedError,
    ErrorCode.OUT_OF_RANGE: ProgramRejectedError,
    ErrorCode.MEMORY: MemoryFaultError,
    ErrorCode.WATCHDOG: EngineStalledError,
}
_ADVICE: dict[type[DriverError], str] = {
    ProgramRejectedError: (
        "The program in memory is damaged or is read wrongly. Load the package again; if that does "
        "not help, self_test() tells which memory port reads wrongly."
    ),
    WrongEngineError: "Make bitstream and package from the same design.",
    MemoryFaultError: (
        "An address has no memory behind it, or memory reports faults. Load the package again, and "
        "run self_test() to see which port it is."
    ),
    EngineStalledError: (
        "Run self_test() to see which memory port it is, and see in timing.rpt that the bitstream "
        "met its timing."
    ),
}


def engine_error(code: int, run: str) -> DriverError:
    """The error for a run that ended with ``code``, other than 0.

    Args:
        run: how to call the run, such as "image 3".
    """
    if code not in set(ErrorCode):
        return WrongEngineError(
            f"{run}: the engine ended with error code {code}, which this driver does not know. "
            "Install the driver that is in the package's 'driver' folder."
        )
    kind = _CLASSES[ErrorCode(code)]
    return kind(
        f"{run}: the engine ended with error code {code}, {ErrorCode(code).name}: "
        f"{MEANING[ErrorCode(code)]}. {_ADVICE[kind]}"
    )


def replaced_bitstream() -> BitstreamError:
    """The error for a bitstream that is not ours any more."""
    return BitstreamError(
        "Another bitstream was loaded since the package was. Close this accelerator and load the "
        "package again; what loaded the other bitstream must end first."
    )
