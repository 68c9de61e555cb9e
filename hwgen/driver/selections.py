# SPDX-License-Identifier: Apache-2.0
"""Which patches token selectors keep, by a variant of the program that gives their scores, too."""

import json
from collections.abc import Callable

import numpy as np

from hwgen.driver.execution import Execution, Job
from hwgen.driver.json_fields import damaged
from hwgen.driver.kept_patches import Trace, kept_patches
from hwgen.driver.memory import ProgramMemory
from hwgen.driver.package import Package
from hwgen.driver.program_files import SELECTIONS


def run_selections(
    package: Package,
    memory: ProgramMemory,
    images: np.ndarray,
    run: Callable[[Job], Execution],
) -> dict[str, np.ndarray]:
    """For each selector by name which patches of the images are still there behind it, bool
    (N, patches).

    Args:
        memory: holds the variant.
        images: uint8 (N, height, width, channels).
        run: does a job.

    Raises:
        CorruptPackageError: ``trace.json`` is no such file.
        DriverError: of ``Runner.run``.
    """
    name = f"programs/{SELECTIONS}/trace.json"
    try:
        trace = Trace.from_json(json.loads(package.read(name)))
    except (LookupError, TypeError, ValueError) as error:
        raise damaged(name, f"it traces no selections of this version ({error})") from None
    # Of scores there are as many as rows are left; kept_patches sees whether they are all there.
    job = Job(memory, images, required=trace.logits.vectors(memory.lanes))
    return kept_patches(trace, np.stack(run(job).outputs), len(images))
