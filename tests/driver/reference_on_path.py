# SPDX-License-Identifier: Apache-2.0
"""Importing this adds the reference interpreter, which stands for the engine where that must be
quick, to the wheel of the driver. What is in the wheel is tested as it is installed.
"""

from pathlib import Path

import hwgen.golden
import hwgen.numerics
import hwgen.program

TREE = Path(__file__).parents[2]

for package in (hwgen.golden, hwgen.numerics, hwgen.program):
    package.__path__.append(str(TREE.joinpath(*package.__name__.split("."))))
