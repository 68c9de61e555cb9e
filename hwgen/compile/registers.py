# SPDX-License-Identifier: Apache-2.0
"""Which token register holds what. Registers are named as in instructions: 1 is the first."""


class TokenRegisters:
    """Of a batch in which tokens are selected: each image's row count, and where it ends in its
    group, before and after a selection; then row counts that never change.
    """

    def __init__(self, images: int) -> None:
        """``images``: of the batch; 0 where nothing is selected."""
        self._images = images
        self.constants: dict[int, int] = {}

    def count(self, image: int) -> int:
        """Rows of an image since its last selection."""
        return 1 + image

    def end(self, depth: int, image: int) -> int:
        """Rows of an image and of those before it in its group, after ``depth`` selections."""
        return 1 + self._images * (1 + depth % 2) + image

    def constant(self, rows: int) -> int:
        """A register that holds ``rows`` during the whole run."""
        first = 1 + (3 * self._images if self._images > 1 else self._images)
        return self.constants.setdefault(rows, first + len(self.constants))
