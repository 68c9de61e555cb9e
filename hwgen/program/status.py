# SPDX-License-Identifier: Apache-2.0
"""The engine's error code, read after done."""

from enum import IntEnum


class ErrorCode(IntEnum):
    """Why a run ended early; zero is success."""

    NONE = 0
    BAD_HEADER = 1
    WRONG_ENGINE = 2
    UNKNOWN_OPCODE = 3
    OUT_OF_RANGE = 4
    MEMORY = 5
    WATCHDOG = 6


MEANING: dict[ErrorCode, str] = {
    ErrorCode.NONE: "the program ran to its end",
    ErrorCode.BAD_HEADER: "no program at this address: wrong magic number or version",
    ErrorCode.WRONG_ENGINE: "the program was built for another engine configuration",
    ErrorCode.UNKNOWN_OPCODE: "an instruction with an unknown opcode",
    ErrorCode.OUT_OF_RANGE: "an operand beyond a buffer, or a forbidden combination of operands",
    ErrorCode.MEMORY: "a memory port answered with an error",
    ErrorCode.WATCHDOG: "nothing moved for 2^20 cycles: memory has stopped answering",
}
