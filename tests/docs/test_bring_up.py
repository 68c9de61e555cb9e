# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

from hwgen.driver import errors
from hwgen.driver.errors import DriverError

TEXT = (Path(__file__).parents[2] / "docs" / "bring-up.md").read_text()


def test_every_error_of_the_driver_is_explained_once() -> None:
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    names = {kind.__name__ for kind in classes if issubclass(kind, DriverError)} - {"DriverError"}
    assert sorted(re.findall(r"^\| `(\w+Error)` \|", TEXT, re.M)) == sorted(names)


def test_links_within_the_page_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.+)$", TEXT, re.M)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors
