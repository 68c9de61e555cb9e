# SPDX-License-Identifier: Apache-2.0
"""The latency of each transformer block at each keep ratio, measured on our own engine."""
