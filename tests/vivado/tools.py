# SPDX-License-Identifier: Apache-2.0
"""Executables that stand in for vivado, Vitis HLS, ssh and scp."""

import shutil
import sys
from pathlib import Path

TCL_TOOLS = Path(__file__).parent / "tcl_tools.py"

_SSH = """#!/bin/sh
while [ "$1" = -tt ] || [ "$1" = -o ]; do
    [ "$1" = -tt ] && shift || shift 2
done
if [ "$FAKE_SSH" = down ]; then
    echo "ssh: connect to host $1 port 22: Connection refused" >&2
    exit 255
fi
case "$FAKE_SSH $2" in lost*vivado\\ -mode*)
    echo "hwgen: step synth begins"
    echo "client_loop: send disconnect: Broken pipe" >&2
    exit 255;;
esac
echo "$1" >> "$FAKE_HOME/hosts"
cd "$FAKE_HOME" && HOME="$FAKE_HOME" exec sh -c "$2"
"""
_SCP = """#!/bin/sh
while [ "$1" = -B ] || [ "$1" = -o ]; do
    [ "$1" = -o ] && shift 2 || shift
done
place() { case "$1" in *:*) echo "$FAKE_HOME/${1#*:}";; *) echo "$1";; esac; }
if [ "$FAKE_SSH" = full ]; then
    echo "scp: write remote: No space left on device" >&2
    exit 1
fi
exec cp "$(place "$1")" "$(place "$2")"
"""


def program(folder: Path, name: str, text: str) -> None:
    """An executable file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def install(folder: Path, *names: str) -> None:
    """Puts tools of these names into a folder, to be on PATH."""
    for name in names:
        text = f'#!/bin/sh\nexec "{sys.executable}" "{TCL_TOOLS}" {name} "$@"\n'
        program(folder, name, {"ssh": _SSH, "scp": _SCP}.get(name, text))


def machine(folder: Path, *names: str) -> Path:
    """The home folder of another machine that has these tools on the PATH of a login shell."""
    install(folder / "bin", *names)
    (folder / ".bash_profile").write_text(f'PATH="{folder}/bin:$PATH"\n')
    return folder


def path_with(folder: Path) -> str:
    """A PATH of one folder beside the system's own, which holds no such tools."""
    return ":".join([str(folder), *_SYSTEM])


_SYSTEM = tuple(
    dict.fromkeys(
        str(Path(shutil.which(name) or "/bin/sh").parent) for name in ("sh", "bash", "tar")
    )
)
