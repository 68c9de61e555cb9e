# SPDX-License-Identifier: Apache-2.0
import pytest

import hwgen
from hwgen.report.schema import Report


@pytest.fixture(scope="session")
def report() -> Report:
    """The report of a network as it is built, before anything was measured."""
    return hwgen.build("preset:fashion-vit").summary
