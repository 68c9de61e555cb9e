# SPDX-License-Identifier: Apache-2.0
"""How long work tells its caller where it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the steps done, and the number of steps (0: unknown)."""


def silent(stage: str, done: int, total: int) -> None:
    """The Progress of a caller that does not want to know."""
