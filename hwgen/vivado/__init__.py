# SPDX-License-Identifier: Apache-2.0
"""From a design's folder to a bitstream: scripts for Vivado, and what runs them."""
