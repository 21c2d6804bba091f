#!/usr/bin/env bash
# Speech translation beside fairseq's xm_transformer and Hugging Face's SpeechEncoderDecoder: same weights, same work.
#
#     benchmarks/translation/run.sh [OUTPUT]      # OUTPUT: outputs/translation_benchmark in the clone
#
# SIZE=small (the default), SIZE=paper (the paper's 799 million parameters: 24 GiB of memory, or 8 with ALONE=1, which
# has one system in memory at a time) or SIZE=tiny. THREADS of every system: as many as there are cores. PARTS: all, or some of
# training,decoding,levers,adapters. On a machine with other work: CLOCK=cpu THREADS=1, which compares the
# processes' own time.
# Writes results.json and results.md into OUTPUT. Measured: RESULTS.md beside this file.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../examples/environment.sh"
size=${SIZE:-small}
output=$(realpath -m "${1:-$SAMU_ROOT/outputs/translation_benchmark}")
samu_environment transformers
cd "$SAMU_ROOT"
samu_run python -m benchmarks.translation.compare --size "$size" --output "$output" \
    ${THREADS:+--threads "$THREADS"} ${CLOCK:+--clock "$CLOCK"} ${PARTS:+--parts "$PARTS"} ${ALONE:+--alone}
