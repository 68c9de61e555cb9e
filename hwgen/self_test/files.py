# SPDX-License-Identifier: Apache-2.0
"""A self-test as files.

- ``program.bin``, ``weights.bin``, ``program.txt``, ``model.json``: its Program.
- ``input.npy``: the image of its only run, uint8 (1, height, 1, lanes).
- ``expected.npy``: the output region as it must be, int16 (vectors, lanes).
- ``checks.json``: parts of the output and what they say (``hwgen.driver.diagnosis``).
"""

import io
import json

import numpy as np

from hwgen.emit.program_files import FOLDER, program_files
from hwgen.program.engine import EngineConfig
from hwgen.self_test.make import self_test

INPUT, EXPECTED, CHECKS = "input.npy", "expected.npy", "checks.json"


def self_test_files(engine: EngineConfig) -> dict[str, bytes]:
    """The files of the self-test for an engine, by name.

    Raises:
        FitError: its buffers are too small for the checks.
    """
    test = self_test(engine)
    files = program_files(test.program)
    return {
        **{name.removeprefix(f"{FOLDER}/"): data for name, data in files.items()},
        INPUT: _array(test.images),
        EXPECTED: _array(test.expected),
        CHECKS: (json.dumps(test.checks.to_json(), indent=1) + "\n").encode(),
    }


def _array(values: np.ndarray) -> bytes:
    """A ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()
