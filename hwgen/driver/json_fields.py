# SPDX-License-Identifier: Apache-2.0
"""Reads JSON files field by field, each with the type it must have."""

import json
from typing import Any

from hwgen.driver.errors import CorruptPackageError


class Fields:
    """A JSON object.

    Args:
        data: the object.
        where: how messages call it, such as "manifest.json: engine".
    """

    def __init__(self, data: dict[str, Any], where: str) -> None:
        self._data = data
        self._where = where

    @classmethod
    def parse(cls, text: bytes, where: str) -> "Fields":
        """The JSON object in ``text``.

        Raises:
            CorruptPackageError: it is not JSON, or not an object.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise damaged(where, f"it is not JSON ({error})") from None
        if not isinstance(data, dict):
            raise damaged(where, "it is not a JSON object")
        return cls(data, where)

    def text(self, name: str) -> str:
        return self._take(name, "a text", str)

    def optional_text(self, name: str) -> "str | None":
        return None if self._data.get(name) is None else self.text(name)

    def integer(self, name: str) -> int:
        return self._take(name, "an integer", int)

    def number(self, name: str) -> float:
        return float(self._take(name, "a number", int, float))

    def flag(self, name: str) -> bool:
        return self._take(name, "true or false", bool)

    def texts(self, name: str) -> tuple[str, ...]:
        found = self._take(name, "a list of texts", list)
        if not all(isinstance(entry, str) for entry in found):
            raise damaged(self._where, f"{name} is not a list of texts")
        return tuple(found)

    def object(self, name: str) -> "Fields":
        return Fields(self._take(name, "an object", dict), f"{self._where}: {name}")

    def objects(self) -> "dict[str, Fields]":
        """All fields, each of them an object."""
        return {name: self.object(name) for name in self._data}

    def _take(self, name: str, expected: str, *kinds: type) -> Any:
        """Raises CorruptPackageError where the field is missing or of another kind."""
        if name not in self._data:
            raise damaged(self._where, f"{name} is missing")
        value = self._data[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise damaged(self._where, f"{name} is {value!r}, not {expected}")
        return value


def damaged(where: str, reason: str) -> CorruptPackageError:
    return CorruptPackageError(f"{where}: {reason}. Copy the package to the board again.")
