# SPDX-License-Identifier: Apache-2.0
"""Trained models in, Graphs out."""

from hwgen.frontend.importer import load
from hwgen.frontend.preprocessing import Preprocessing
from hwgen.frontend.reference import float_reference
from hwgen.frontend.write import write_onnx

__all__ = ["Preprocessing", "float_reference", "load", "write_onnx"]
