# SPDX-License-Identifier: Apache-2.0
"""Python that is told what to do, line by line, while it drives a remote board.

A process of its own: pynq is another one when PYNQ_REMOTE_DEVICES is set before it is imported.
"""

import json
import subprocess
import sys
from types import TracebackType
from typing import Any

from hwgen.driver import errors


class Session:
    """The process, with the board at ``port`` as pynq's active device."""

    def __init__(self, port: int) -> None:
        module = "hwgen.rehearsal.remote.client"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, "--port", str(port), __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, code: str) -> Any:
        """Runs statements; returns what they leave in ``answer``, by JSON.

        Raises:
            DriverError: they do.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(code)}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '"The session ended."')
        if isinstance(answer, dict) and "error" in answer:
            raise getattr(errors, answer["error"])(answer["message"])
        return answer

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        trace: "TracebackType | None",
    ) -> None:
        self._process.communicate()
        assert error or self._process.returncode == 0


def _serve() -> None:
    names: dict[str, Any] = {}
    for line in sys.stdin:
        try:
            exec(json.loads(line), names)
            answer = names.pop("answer", None)
        except errors.DriverError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve()
