# SPDX-License-Identifier: Apache-2.0
"""The functions that a network is made of, in float32 numpy."""

import numpy as np

# erf(x) = x * P(x^2) / Q(x^2) for |x| <= 4, where float32 erf is 1. Coefficients of the minimax
# fit that Eigen and XLA use, highest power first; the error stays below 5e-7 (a test measures it).
_ERF_LIMIT = np.float32(4.0)
_ERF_P = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
_ERF_Q = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)


def erf(x: np.ndarray) -> np.ndarray:
    """The error function in float32, within 5e-7 of the exact one."""
    x = np.clip(x, -_ERF_LIMIT, _ERF_LIMIT)
    square = x * x
    x *= _polynomial(_ERF_P, square)
    x /= _polynomial(_ERF_Q, square)
    return x


def gelu(x: np.ndarray) -> np.ndarray:
    """``x / 2 * (1 + erf(x / sqrt(2)))`` in float32, within 2e-6 for x in [-8, 8]."""
    result = erf(x * np.float32(np.sqrt(0.5)))
    result += np.float32(1)
    result *= x
    result *= np.float32(0.5)
    return result


def softmax(x: np.ndarray) -> np.ndarray:
    """Softmax over the last axis in float32."""
    result = np.exp(x - x.max(axis=-1, keepdims=True))
    result /= result.sum(axis=-1, keepdims=True)
    return result


def normalise(x: np.ndarray, epsilon: float) -> np.ndarray:
    """Each row shifted and scaled to mean 0 and variance 1 (LayerNorm without gamma and beta)."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    centred /= np.sqrt(variance + np.float32(epsilon))
    return centred


def sigmoid(x: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-x))`` in float32, without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, np.float32(1)) / (1 + small)


def relu(x: np.ndarray) -> np.ndarray:
    """``max(x, 0)``."""
    return np.maximum(x, 0)


def split_heads(x: np.ndarray, heads: int) -> np.ndarray:
    """(images, rows, heads * size) to (images, heads, rows, size)."""
    images, rows, columns = x.shape
    return x.reshape(images, rows, heads, columns // heads).transpose(0, 2, 1, 3)


def _polynomial(coefficients: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    result = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result *= x
        result += np.float32(coefficient)
    return result
