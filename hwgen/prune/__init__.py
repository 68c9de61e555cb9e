# SPDX-License-Identifier: Apache-2.0
"""Token pruning (HeatViT): selectors put into a trained network and trained with it."""
