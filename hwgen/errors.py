# SPDX-License-Identifier: Apache-2.0
"""The one hierarchy of errors a user can meet.

Every message says what was found, where, and what to do. The command line prints the message
alone, without a traceback, and exits with code 2.
"""


class HwgenError(Exception):
    """Base of all errors caused by input, configuration or environment."""


class ModelError(HwgenError):
    """The model file is missing, damaged, or holds something hwgen cannot take."""


class ConfigError(HwgenError):
    """The configuration or a board description is wrong."""


class DataError(HwgenError):
    """Calibration or test data is missing, empty, or of the wrong shape."""


class FitError(HwgenError):
    """The design does not fit the board or the engine configuration."""


class OutputError(HwgenError):
    """The output folder cannot be written without losing something."""


class ToolError(HwgenError):
    """An external tool (compiler, simulator) is missing or failed."""


class ProgramError(HwgenError):
    """A Program image is damaged or was made for another engine."""


class VerificationError(HwgenError):
    """Two executors of the same Program disagree."""


class RehearsalError(HwgenError):
    """A notebook or script did not run to its end on the simulated board."""
