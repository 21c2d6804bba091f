# shellcheck shell=bash
# The environment of every run.sh: sourced by examples/*/run.sh and by tests/run.sh, so that what was tested is what a
# recipe gets. It stands beside the recipes because a reader of a recipe wants it one folder away.
#
#     source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"
#     samu_environment quickstart                # a virtual environment is active, the package is installed in it
#     samu_run fairseq-train "$data" --arch ...  # prints the command, then runs it
#
# With SAMU_DRY_RUN=1 nothing is installed or run: commands are printed, one a line after "+ ", as a shell would read
# them. A contract test feeds these lines to the host's own parser, so every command of a recipe goes through samu_run.
# PYTHON names the interpreter for a new environment, where the search would find another one than is wanted.

SAMU_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

samu_say() { printf '%s\n' "$*" >&2; }

samu_fail() {
    samu_say "$*"
    exit 1
}

# samu_run COMMAND ARGUMENT... : print it, and run it unless this is a dry run.
samu_run() {
    printf '+'
    printf ' %q' "$@"
    printf '\n'
    [ -n "${SAMU_DRY_RUN:-}" ] || "$@"
}

# samu_environment EXTRA[,EXTRA] : make or reuse the virtual environment, install the package with the tested pins.
samu_environment() {
    local extras=$1
    [ -z "${SAMU_DRY_RUN:-}" ] || return 0
    _samu_lock
    if [ -n "${VIRTUAL_ENV:-}" ]; then
        samu_say "Using the active virtual environment $VIRTUAL_ENV"
        _samu_python_fits "$VIRTUAL_ENV/bin/python" ||
            samu_fail "Its Python is not 3.11 or 3.12: \`deactivate\` it, and this script makes one that fits."
        PATH=$VIRTUAL_ENV/bin:$PATH
    else
        VIRTUAL_ENV=$SAMU_ROOT/.venv
        _samu_create "$VIRTUAL_ENV"
        # shellcheck disable=SC1091
        source "$VIRTUAL_ENV/bin/activate"
    fi
    _samu_install "$extras"
    _samu_unlock
}

# Two scripts started side by side must not install into the same folder; the second waits for the first.
_samu_lock() {
    command -v flock >/dev/null || return 0
    exec 9<"$SAMU_ROOT"
    flock --nonblock 9 || { samu_say "Another script is installing; waiting for it." && flock 9; }
}

_samu_unlock() { exec 9<&-; }

_samu_python_fits() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

_samu_find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3 python; do
        if _samu_python_fits "$candidate"; then
            command -v "$candidate"
            return
        fi
        [ "$candidate" != "${PYTHON:-}" ] || samu_fail "PYTHON=$PYTHON is not a Python 3.11 or 3.12 with the module venv."
    done
    samu_fail "No Python 3.11 or 3.12 with the module venv was found (Debian, Ubuntu: apt install python3.11" \
        "python3.11-venv; macOS: brew install python@3.11). Elsewhere: PYTHON=/path/to/python3.11 $0"
}

# An environment that was moved with its clone, that lost its interpreter, or whose installation was interrupted is
# made anew: that takes a minute, and a half-written package would take longer to find.
_samu_create() {
    local folder=$1 python
    if [ "$(cat "$folder/.samu-made-for" 2>/dev/null)" = "$folder" ] && [ ! -e "$folder/.samu-installing" ] &&
        _samu_python_fits "$folder/bin/python"; then
        samu_say "Using the virtual environment .venv"
        return
    fi
    python=$(_samu_find_python) || exit 1
    [ ! -d "$folder" ] || samu_say "The virtual environment .venv is incomplete or was moved."
    samu_say "Making the virtual environment .venv with $("$python" --version) ($python)"
    "$python" -m venv --clear "$folder"
    printf '%s\n' "$folder" >"$folder/.samu-made-for"
}

# What an installation depends on; a stamp with the same text means that there is nothing to do.
_samu_fingerprint() {
    python --version
    cat "$SAMU_ROOT/setup.py" "$SAMU_ROOT/constraints.txt" "${BASH_SOURCE[0]}"
    printf '%s\n' "$SAMU_ROOT"
}

_samu_install() {
    local extras=$1 stamp="$VIRTUAL_ENV/.samu-installed-$1" begun="$VIRTUAL_ENV/.samu-installing" fingerprint
    fingerprint=$(_samu_fingerprint | cksum)
    [ "$(cat "$stamp" 2>/dev/null)" != "$fingerprint" ] || return 0
    local options=(--constraint "$SAMU_ROOT/constraints.txt" --disable-pip-version-check)
    # pip draws its bars on a terminal; in a log its hundred lines would hide ours.
    [ -t 1 ] || options+=(--quiet --quiet)
    [ ! -e "$begun" ] || options+=(--force-reinstall)
    samu_say "Installing fairseq-samu[$extras] with the tested pins: about a minute, or as long as 1 to 3 GB take to download"
    : >"$begun"
    _samu_install_source_host "${options[@]}"
    python -m pip install "${options[@]}" --editable "$SAMU_ROOT[$extras]" ||
        samu_fail "The installation failed, for the reason above. Run this script again to continue."
    _samu_remove_broken_torchaudio
    rm -f "$begun"
    printf '%s\n' "$fingerprint" >"$stamp"
    samu_say "Installed in ${SECONDS} s"
}

# Where the host has no wheel it is compiled, and its build needs torch and numpy in the environment itself.
_samu_install_source_host() {
    [ "$(uname -sm)" != "Linux x86_64" ] || return 0
    samu_say "There is no ready wheel of the host for $(uname -sm): compiling it, which needs a C++ compiler"
    python -m pip install "$@" torch numpy cython setuptools wheel &&
        python -m pip install "$@" --no-build-isolation fairseq-fixed ||
        samu_fail "The host could not be compiled, for the reason above."
}

# The host asks for torchaudio but imports it only for features that this package has itself. Its wheel does not import
# beside a torch without CUDA, and installed but broken it makes `import transformers` fail.
_samu_remove_broken_torchaudio() {
    python -c 'import torchaudio' 2>/dev/null && return
    python -m pip uninstall --quiet --yes torchaudio
}
