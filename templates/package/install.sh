#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the driver beside pynq and shows the notebooks to Jupyter. Run it on the board, as often
# as you like:   sh install.sh [--dry-run]
#
# PYTHON                   the interpreter that has pynq; python3 unless set
# PYNQ_JUPYTER_NOTEBOOKS   where Jupyter's notebooks are; PYNQ sets it
set -eu

say() {
    printf '%s\n' "$*"
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# PYNQ's images keep pynq in an environment of its own. The file that enters it is written for
# bash, which need not be the shell that runs this one.
profile=${PYNQ_PROFILE:-/etc/profile.d/pynq_venv.sh}
if [ -z "${VIRTUAL_ENV:-}" ] && [ -f "$profile" ]; then
    PYNQ_PROFILE=/dev/null
    export PYNQ_PROFILE
    exec bash -c '. "$1"; shift; exec sh "$@"' bash "$profile" "$0" "$@"
fi

dry_run=no
for argument in "$@"; do
    case $argument in
    --dry-run) dry_run=yes ;;
    -h | --help)
        say "Usage: sh install.sh [--dry-run]"
        say "Installs the driver beside pynq and shows the notebooks to Jupyter."
        exit 0
        ;;
    *) fail "unknown argument $argument. Usage: sh install.sh [--dry-run]" ;;
    esac
done

run() {
    if [ "$dry_run" = yes ]; then
        say "would run: $*"
    else
        "$@"
    fi
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
python=${PYTHON:-python3}

# The driver.
wheel=
for file in "$here"/driver/hwgen_driver-*.whl; do
    if [ -f "$file" ]; then wheel=$file; fi
done
[ -n "$wheel" ] || fail "there is no driver/hwgen_driver-*.whl beside $0: unpack the whole package."
command -v "$python" >/dev/null 2>&1 || fail "$python is missing. Install Python 3.10 or later."
# Whether a module is installed. PYNQ has a link pynq in /home/xilinx: the current folder is no proof.
has() {
    "$python" -c "import importlib.util, sys
sys.path = [place for place in sys.path if place]
sys.exit(importlib.util.find_spec('$1') is None)"
}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$python is older than 3.10, which the driver needs: use a PYNQ image of 3.0 or later."
has pynq || fail "$python has no pynq. Enter the environment that has it, or name its interpreter:" \
    "PYTHON=/usr/local/share/pynq-venv/bin/python3 sh install.sh"
has pip || fail "$python has no pip. Install it: apt install python3-pip"
if has hwgen.design 2>/dev/null; then
    say "The driver is part of hwgen, which this Python has: nothing to install."
else
    target=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    [ -w "$target" ] || [ "$dry_run" = yes ] ||
        fail "$target cannot be written. Run it as root: sudo sh install.sh"
    run "$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index \
        --force-reinstall "$wheel"
    [ "$dry_run" = yes ] || say "driver: $(basename "$wheel")"
fi

# The notebooks look for their package in the folder above them, so Jupyter gets the whole of it.
notebooks=${PYNQ_JUPYTER_NOTEBOOKS:-/home/xilinx/jupyter_notebooks}
link=$notebooks/hwgen/$(basename "$here")
if [ ! -d "$here/notebooks" ]; then
    exit 0
fi
if [ ! -d "$notebooks" ]; then
    say "There is no folder $notebooks. Start Jupyter in $here/notebooks."
    exit 0
fi
case $here in
"$notebooks"/*) link=$here ;;
*)
    if [ -e "$link" ] && [ ! -L "$link" ]; then
        fail "$link is no link of this script. Move it away and run this script again."
    fi
    run mkdir -p "$notebooks/hwgen"
    run rm -f "$link"
    run ln -s "$here" "$link"
    ;;
esac
[ "$dry_run" = yes ] || say "notebooks: $link/notebooks"
