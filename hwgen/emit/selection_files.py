# SPDX-License-Identifier: Apache-2.0
"""A Program with the scores of its token selectors, as files: those of ``program_files``, and
``trace.json``, which says where the scores are (``hwgen.driver.kept_patches``).
"""

import json

from hwgen.compile.trace_selections import with_scores
from hwgen.emit.program_files import FOLDER, program_files
from hwgen.program.program import Program

TRACE = "trace.json"


def selection_files(program: Program) -> dict[str, bytes]:
    """The files of the variant of ``program``, by name.

    Raises:
        ProgramError: the program has no token selector.
        FitError: there are more scores than instructions can address.
    """
    variant, trace = with_scores(program)
    files = program_files(variant)
    return {
        **{name.removeprefix(f"{FOLDER}/"): data for name, data in files.items()},
        TRACE: (json.dumps(trace.to_json(), indent=1) + "\n").encode(),
    }
