# SPDX-License-Identifier: Apache-2.0
"""The keys of a pydantic model with their meaning, for the documentation."""

import json
import typing
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(dotted key, default, meaning) of each field, nested ones after their section.

    A list of sections is written ``name[]``; a key without a default has an empty one.
    """
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        inner = _section(field)
        if inner is None:
            yield key, _default(field), field.description or ""
            continue
        if typing.get_origin(field.annotation) is tuple:
            key += "[]"
        meaning = field.description or " ".join((inner.__doc__ or "").split())
        yield key, "", meaning
        yield from keys(inner, key + ".")


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """The model inside a field's type."""
    candidates = (field.annotation, *typing.get_args(field.annotation))
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    return field.default if isinstance(field.default, str) else json.dumps(field.default)
