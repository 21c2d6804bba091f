#!/usr/bin/env bash
# Adapter tuning for recognition beside Hugging Face's Whisper with PEFT: same encoder, same function, same speech.
#
#     benchmarks/adapters/run.sh [OUTPUT]      # OUTPUT: outputs/adapters_benchmark in the clone
#
# PEFT gets an environment of its own, OUTPUT/peft, in the first run (PEER_PYTHON names another one).
# SIZE=base (the default: Whisper-base, its own weights where the data packages are installed) or SIZE=tiny. THREADS of
# every system: 1. PARTS: all, or some of used,matched,levers. ROUNDS of every measurement. ALONE=1 has one system in memory
# at a time. On a machine with other work: CLOCK=cpu, which compares the processes' own time.
# Writes results.json and results.md into OUTPUT. Measured: RESULTS.md beside this file.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../examples/environment.sh"
output=$(realpath -m "${1:-$SAMU_ROOT/outputs/adapters_benchmark}")
samu_environment quickstart
peer_python=${PEER_PYTHON:-$output/peft/bin/python}
if [ -z "${PEER_PYTHON:-}" ] && [ -z "${SAMU_DRY_RUN:-}" ] && [ ! -e "$output/peft/complete" ]; then
    samu_say "Making PEFT's environment in $output/peft"
    python -m venv --clear "$output/peft"
    "$peer_python" -m pip install --quiet --disable-pip-version-check --constraint "$SAMU_ROOT/constraints.txt" \
        --requirement "$here/peer_requirements.txt"
    touch "$output/peft/complete"
fi
cd "$SAMU_ROOT"
samu_run python -m benchmarks.adapters.compare --peer-python "$peer_python" --size "${SIZE:-base}" --output "$output" \
    --threads "${THREADS:-1}" ${CLOCK:+--clock "$CLOCK"} ${PARTS:+--parts "$PARTS"} ${ROUNDS:+--rounds "$ROUNDS"} \
    ${ALONE:+--alone}
