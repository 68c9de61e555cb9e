# SPDX-License-Identifier: Apache-2.0
"""A Program that shows on the board whether each unit of an engine works, and which does not."""

from hwgen.self_test.make import SelfTest, self_test

__all__ = ["SelfTest", "self_test"]
