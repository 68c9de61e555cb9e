# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from pydantic import ValidationError

from hwgen.deploy.manifest import Bitstream, Examples, Manifest, Predicted, Versions
from hwgen.emit.program_files import EngineFields, describe
from hwgen.program.engine import EngineConfig
from hwgen.report.keys import keys

MANIFEST = Manifest(
    name="vit-zcu102",
    board="zcu102",
    part="xczu9eg-ffvb1156-2-e",
    clock_mhz=300.0,
    engine=EngineFields.of(EngineConfig()),
    programs=("model", "self_test"),
    bitstream=Bitstream(made_by="vivado", engine="rtl", tool="Vivado v2024.1"),
    versions=Versions(hwgen="0.1.0", program=1),
    predicted=Predicted(cycles=1000, images_per_s=300_000.0, latency_ms=0.01),
    examples=Examples(real=True),
    files={"hwgen.bit": describe(b"bits")},
)


def test_json_holds_everything_and_comes_back() -> None:
    text = MANIFEST.to_json()
    assert text.endswith(b"}\n")
    data = json.loads(text)
    assert (data["format"], data["version"]) == ("hwgen-package", 1)
    assert data["engine"] == {**vars(EngineConfig()), "digest": EngineConfig().digest}
    assert data["files"]["hwgen.bit"]["bytes"] == 4
    assert Manifest.model_validate_json(text) == MANIFEST


def test_what_is_unknown_is_refused() -> None:
    data = json.loads(MANIFEST.to_json())
    for change in ({"version": 2}, {"format": "zip"}, {"more": 1}):
        with pytest.raises(ValidationError):
            Manifest.model_validate_json(json.dumps({**data, **change}))


def test_every_key_is_explained() -> None:
    assert all(meaning for _, _, meaning in keys(Manifest))
