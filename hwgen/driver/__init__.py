# SPDX-License-Identifier: Apache-2.0
"""Runs accelerators on boards with PYNQ.

``Accelerator.load("package.zip").predict(images)`` is the whole of it; see ``docs/driver.md``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwgen.driver.accelerator import Accelerator, Examples
    from hwgen.driver.prediction import Prediction
    from hwgen.driver.profile import Profile
    from hwgen.driver.self_test import SelfTestResult

__all__ = ["Accelerator", "Examples", "Prediction", "Profile", "SelfTestResult"]


def __getattr__(name: str) -> Any:
    """Loads pynq when it is first needed: errors and file formats can be used without it."""
    if name not in __all__:
        raise AttributeError(f"module 'hwgen.driver' has no attribute {name!r}")
    try:
        from hwgen.driver import accelerator
    except ModuleNotFoundError as error:
        if error.name != "pynq":
            raise
        from hwgen.driver.errors import NoDeviceError

        raise NoDeviceError(
            "pynq is not installed here. Boards with PYNQ have it; elsewhere install it with "
            "'pip install pynq' and name a board in PYNQ_REMOTE_DEVICES."
        ) from None
    return getattr(accelerator, name)
