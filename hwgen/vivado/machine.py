# SPDX-License-Identifier: Apache-2.0
"""Where Vivado runs: here, or on another machine that SSH reaches."""

import io
import re
import shlex
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from hwgen.errors import ConfigError, ToolError
from hwgen.sim.process import Finished, run_process

OnLine = Callable[[str], None]

TRANSFER_S = 600.0
"""Seconds that copying files, or asking for a version, may take."""

_SSH_FAILED = 255
_OPTIONS = (
    *("-o", "BatchMode=yes"),
    *("-o", "ConnectTimeout=15"),
    *("-o", "ServerAliveInterval=30"),
    *("-o", "LogLevel=ERROR"),
)
_INPUTS, _RESULTS = ".hwgen-inputs.tar.gz", ".hwgen-results.tar.gz"


class Machine(Protocol):
    """Runs commands in a copy of a design's folder."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def has(self, command: str) -> bool:
        """Whether ``command`` is on its PATH."""
        ...

    def send(self, names: Iterable[str]) -> None:
        """Brings these files of the design's folder there."""
        ...

    def run(
        self,
        words: Sequence[str],
        folder: str | None = "",
        *,
        what: str,
        timeout_s: float = TRANSFER_S,
        on_line: OnLine | None = None,
    ) -> Finished:
        """Runs a command in ``folder`` of the design's folder, or anywhere (None), to its end."""
        ...

    def fetch(self, *folders: str) -> None:
        """Brings these folders back; each takes the place of the one here."""
        ...


@dataclass(frozen=True)
class Local:
    """This machine, in the design's folder itself."""

    directory: Path
    name: str = "this machine"

    def has(self, command: str) -> bool:
        return shutil.which(command) is not None

    def send(self, names: Iterable[str]) -> None:
        pass

    def run(
        self,
        words: Sequence[str],
        folder: str | None = "",
        *,
        what: str,
        timeout_s: float = TRANSFER_S,
        on_line: OnLine | None = None,
    ) -> Finished:
        return run_process(
            words,
            what=what,
            timeout_s=timeout_s,
            directory=self.directory / (folder or ""),
            on_line=on_line,
        )

    def fetch(self, *folders: str) -> None:
        pass


@dataclass
class Remote:
    """Another machine, by ssh and scp. Nothing asks for a password: keys must do.

    Attributes:
        directory: the design's folder here.
        host: as ssh takes it, such as ``user@machine``.
        folder: of the copy there, from the user's home.
    """

    directory: Path
    host: str
    folder: str
    _reached: bool = field(default=False, init=False, repr=False)

    @property
    def name(self) -> str:
        return self.host

    def has(self, command: str) -> bool:
        words = ("sh", "-c", 'command -v "$0"', command)
        return self._ssh(shlex.join(words), "ssh", TRANSFER_S, None).code == 0

    def send(self, names: Iterable[str]) -> None:
        quoted = shlex.quote(self.folder)
        with tempfile.TemporaryDirectory(prefix="hwgen-") as temporary:
            archive = Path(temporary) / _INPUTS
            with tarfile.open(archive, "w:gz") as stream:
                for name in names:
                    stream.add(self.directory / name, name, recursive=False)
            self._need(f"mkdir -p {quoted}", "make its folder")
            self._scp(str(archive), f"{self.host}:{self.folder}/")
        self._need(f"cd {quoted} && tar xzf {_INPUTS} && rm {_INPUTS}", "unpack the files")

    def run(
        self,
        words: Sequence[str],
        folder: str | None = "",
        *,
        what: str,
        timeout_s: float = TRANSFER_S,
        on_line: OnLine | None = None,
    ) -> Finished:
        script = f"exec {shlex.join(words)}"
        if folder is not None:
            place = PurePosixPath(self.folder, folder).as_posix()
            script = f"cd {shlex.quote(place)} && {script}"
        return self._ssh(script, what, timeout_s, on_line)

    def fetch(self, *folders: str) -> None:
        packed = shlex.join(["tar", "czf", _RESULTS, *folders])
        self._need(f"cd {shlex.quote(self.folder)} && {packed}", "pack the results")
        with tempfile.TemporaryDirectory(prefix="hwgen-") as temporary:
            archive = Path(temporary) / _RESULTS
            self._scp(f"{self.host}:{self.folder}/{_RESULTS}", str(archive))
            fresh = Path(temporary) / "fresh"
            _unpack(archive.read_bytes(), fresh, folders)
            for name in folders:
                target = self.directory / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(target, ignore_errors=True)
                shutil.move(fresh / name, target)

    def _ssh(self, script: str, what: str, timeout_s: float, on_line: OnLine | None) -> Finished:
        # A login shell: what makes Vivado known is set up there. -tt: where the connection ends,
        # so does the command.
        command = ("ssh", "-tt", *_OPTIONS, self.host, f"bash -lc {shlex.quote(script)}")
        return self._checked(run_process(command, what=what, timeout_s=timeout_s, on_line=on_line))

    def _scp(self, source: str, target: str) -> None:
        command = ("scp", "-B", *_OPTIONS, source, target)
        done = self._checked(run_process(command, what="scp", timeout_s=TRANSFER_S))
        if done.code:
            raise ToolError(f"Copying to or from {self.host} failed: {_why(done)}.")

    def _need(self, script: str, purpose: str) -> None:
        done = self._ssh(script, "ssh", TRANSFER_S, None)
        if done.code:
            raise ToolError(f"{self.host} cannot {purpose} in {self.folder}: {_why(done)}.")

    def _checked(self, done: Finished) -> Finished:
        if done.code != _SSH_FAILED:
            self._reached = True
            return done
        if self._reached:
            raise ToolError(
                f"The connection to {self.host} was lost ({_why(done)}). Run the same command "
                "again: it goes on behind the last step that was done there."
            )
        raise ToolError(
            f"{self.host} cannot be reached over SSH: {_why(done)}. It must work without a "
            f"password; try 'ssh -o BatchMode=yes {self.host} true'."
        )


def find_machine(directory: Path, host: str | None) -> Machine:
    """This machine, or the one that ``user@machine[:folder]`` names; its folder is
    ``hwgen-synth/<name of the design's folder>`` unless said otherwise.

    Raises:
        ConfigError: ``host`` is of another form.
    """
    if host is None:
        return Local(directory)
    # No dash in front: ssh would take it for an option.
    parts = re.fullmatch(r"((?!-)(?:[\w.+%-]+@)?[\w.-]+)(?::(?:~/)?(\S+))?", host)
    if parts is None:
        raise ConfigError(
            f"--host is {host!r}; it takes user@machine or user@machine:folder, as ssh and scp do."
        )
    return Remote(directory, parts[1], parts[2] or f"hwgen-synth/{directory.resolve().name}")


def _unpack(archive: bytes, target: Path, folders: Sequence[str]) -> None:
    """Writes the plain files of ``folders`` and nothing else."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as stream:
            for folder in folders:
                (target / folder).mkdir(parents=True, exist_ok=True)
            for member in stream.getmembers():
                name = PurePosixPath(member.name)
                inside = any(name.is_relative_to(folder) for folder in folders)
                content = stream.extractfile(member) if member.isfile() else None
                if content is not None and inside and ".." not in name.parts:
                    path = target / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content.read())
    except (tarfile.TarError, EOFError) as error:
        raise ToolError(f"What came back over SSH is damaged: {error}. Run it again.") from None


def _why(done: Finished) -> str:
    """The last line that was printed."""
    lines = [line.strip() for line in done.tail if line.strip()]
    return lines[-1].rstrip(".") if lines else f"exit code {done.code}"
