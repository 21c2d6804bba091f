#!/usr/bin/env bash
# Spoken language understanding beside SpeechBrain's parts: same weights, same work.
#
#     benchmarks/understanding/run.sh [OUTPUT]      # OUTPUT: outputs/understanding_benchmark in the clone
#
# SpeechBrain gets an environment of its own, OUTPUT/speechbrain, in the first run (PEER_PYTHON names another one).
# SIZE=small (the default), SIZE=paper (XLS-R 300M and 3 x Bi-LSTM 1024; with ALONE=1 one system is in memory at a time,
# 10 GiB) or SIZE=tiny. THREADS of every system: 1. PARTS: all, or some of tuned,frozen,products,decoding. ROUNDS of every
# measurement. On a machine with other work: CLOCK=cpu, which compares the processes' own time.
# Writes results.json and results.md into OUTPUT. Measured: RESULTS.md beside this file.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../examples/environment.sh"
size=${SIZE:-small}
output=$(realpath -m "${1:-$SAMU_ROOT/outputs/understanding_benchmark}")
samu_environment transformers
peer_python=${PEER_PYTHON:-$output/speechbrain/bin/python}
if [ -z "${PEER_PYTHON:-}" ] && [ -z "${SAMU_DRY_RUN:-}" ] && [ ! -e "$output/speechbrain/complete" ]; then
    samu_say "Making SpeechBrain's environment in $output/speechbrain"
    python -m venv --clear "$output/speechbrain"
    "$peer_python" -m pip install --quiet --disable-pip-version-check --constraint "$SAMU_ROOT/constraints.txt" \
        --requirement "$here/peer_requirements.txt"
    "$peer_python" -m pip install --quiet --disable-pip-version-check --no-deps speechbrain==1.1.2
    touch "$output/speechbrain/complete"
fi
cd "$SAMU_ROOT"
samu_run python -m benchmarks.understanding.compare --peer-python "$peer_python" --size "$size" --output "$output" \
    --threads "${THREADS:-1}" ${CLOCK:+--clock "$CLOCK"} ${PARTS:+--parts "$PARTS"} ${ROUNDS:+--rounds "$ROUNDS"} \
    ${ALONE:+--alone}
