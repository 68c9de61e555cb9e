# SPDX-License-Identifier: Apache-2.0
"""What measures the figures of ``bench/results.md``: ``make bench``."""
