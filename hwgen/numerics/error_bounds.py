# SPDX-License-Identifier: Apache-2.0
"""Largest errors of the integer functions against the real ones, found by trying every input.

``docs/numerics.md`` prints them; a test recomputes them.
"""

import math
from dataclasses import dataclass

import numpy as np

from hwgen.numerics.gelu import INPUT_FRACTION, OUTPUT_FRACTION, A, B, gelu, gelu_constants
from hwgen.numerics.mean import MOST_ROWS, mean_ratio
from hwgen.numerics.piecewise import INVERSE_SQRT, RECIPROCAL, evaluate
from hwgen.numerics.sigmoid import INPUT_FRACTION as SIGMOID_INPUT_FRACTION
from hwgen.numerics.sigmoid import ONE, sigmoid
from hwgen.numerics.softmax import FRACTION, MAX_DIFFERENCE, PEAK, exponential


@dataclass(frozen=True)
class ErrorBound:
    """``error`` is the largest one over ``inputs`` inputs; ``at`` says where it occurs."""

    function: str
    domain: str
    inputs: int
    measure: str
    error: float
    at: str


def reciprocal_error() -> ErrorBound:
    """Relative error over all normalised 16-bit mantissas."""
    mantissa = np.arange(1 << 15, 1 << 16)
    error = np.abs(evaluate(RECIPROCAL, mantissa) * mantissa / 2.0**31 - 1)
    return _bound("reciprocal", "mantissas 2^15 .. 2^16 - 1", mantissa, "relative", error)


def inverse_sqrt_error() -> ErrorBound:
    """Relative error over all mantissas of both exponent parities."""
    mantissa = np.arange(1 << 14, 1 << 16)
    error = np.abs(evaluate(INVERSE_SQRT, mantissa) * np.sqrt(mantissa) / 2.0**23 - 1)
    return _bound("inverse square root", "mantissas 2^14 .. 2^16 - 1", mantissa, "relative", error)


def exponential_error() -> ErrorBound:
    """Absolute error of ``exponential(x) / 127`` against ``2^-x`` over all Q.14 arguments."""
    domain = "x in Q.14, 0 .. 254 * 65535"
    worst, total = None, MAX_DIFFERENCE * 65535 + 1
    for start in range(0, total, 1 << 20):
        x = np.arange(start, min(start + (1 << 20), total))
        error = np.abs(exponential(x) / PEAK - np.exp2(-x / (1 << FRACTION)))
        bound = _bound("exponential", domain, x, "absolute", error)
        if worst is None or bound.error > worst.error:
            worst = bound
    assert worst is not None
    return ErrorBound("exponential", domain, total, "absolute", worst.error, worst.at)


def gelu_error() -> ErrorBound:
    """Absolute error against the exact GELU over all Q5.10 inputs, delta 1."""
    x = np.arange(-32767, 32768)
    real = x / (1 << INPUT_FRACTION)
    exact = np.array([v / 2 * (1 + math.erf(v / math.sqrt(2))) for v in real])
    error = np.abs(_gelu_value(x) - exact)
    return _bound("GELU", "Q5.10, -32767 .. 32767", x, "absolute", error)


def gelu_rounding_error() -> ErrorBound:
    """Absolute error against HeatViT's polynomial in real arithmetic: the integers' own share."""
    x = np.arange(-32767, 32768)
    real = x / (1 << INPUT_FRACTION)
    u = np.minimum(np.abs(real) / math.sqrt(2), -B) + B
    polynomial = real / 2 * (1 + np.sign(real) * (A * u * u + 1))
    error = np.abs(_gelu_value(x) - polynomial)
    return _bound("GELU, rounding alone", "Q5.10, -32767 .. 32767", x, "absolute", error)


def sigmoid_error() -> ErrorBound:
    """Absolute error of PLAN against the logistic function over all int8 inputs."""
    x = np.arange(-127, 128)
    exact = 1 / (1 + np.exp(-x / (1 << SIGMOID_INPUT_FRACTION)))
    error = np.abs(sigmoid(x) / ONE - exact)
    return _bound("sigmoid", "Q3.4, -127 .. 127", x, "absolute", error)


def mean_error() -> ErrorBound:
    """Relative error of the reciprocal of every count of rows."""
    counts = np.arange(1, MOST_ROWS + 1)
    error = np.array([abs(mean_ratio(int(count)).value * count - 1) for count in counts])
    return _bound("mean, 1 / n", f"counts 1 .. {MOST_ROWS}", counts, "relative", error)


def error_bounds() -> tuple[ErrorBound, ...]:
    """All of them, in the order of the documentation."""
    return (
        reciprocal_error(),
        inverse_sqrt_error(),
        exponential_error(),
        gelu_error(),
        gelu_rounding_error(),
        sigmoid_error(),
        mean_error(),
    )


def _gelu_value(x: np.ndarray) -> np.ndarray:
    return gelu(x, gelu_constants()) / (1 << OUTPUT_FRACTION)


def _bound(
    function: str, domain: str, inputs: np.ndarray, measure: str, error: np.ndarray
) -> ErrorBound:
    worst = int(error.argmax())
    return ErrorBound(
        function, domain, len(inputs), measure, float(error[worst]), str(int(inputs[worst]))
    )
