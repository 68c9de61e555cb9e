# SPDX-License-Identifier: Apache-2.0
"""``python -m hwgen``."""

from hwgen.cli import main

main()
