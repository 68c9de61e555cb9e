# SPDX-License-Identifier: Apache-2.0
import io
import zipfile

from hwgen.archive import archive

FILES = {"b/install.sh": b"#!/bin/sh\n", "a.txt": b"text"}


def test_the_same_files_give_the_same_bytes() -> None:
    assert archive(FILES) == archive(dict(FILES))


def test_order_content_and_rights_are_kept() -> None:
    with zipfile.ZipFile(io.BytesIO(archive(FILES))) as found:
        assert found.namelist() == list(FILES)
        assert {name: found.read(name) for name in FILES} == FILES
        rights = [entry.external_attr >> 16 for entry in found.infolist()]
    assert rights == [0o100755, 0o100644]
