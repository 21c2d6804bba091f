#!/usr/bin/env bash
# The length compressor beside CTC compression by a matrix product and beside a loop: same frames, same weights; and
# training steps of multitask_st without a compressor and with each kind.
#
#     benchmarks/compressor/run.sh [OUTPUT]      # OUTPUT: outputs/compressor_benchmark in the clone
#
# THREADS of every arm: 1. PARTS: all, or some of avg,weighted,softmax,segment,global,oracle,bound,study,study-cached,paper. ROWS
# of the batches to compress, as "1 8"; what OUTPUT has of other parts and rows stays. ROUNDS of every measurement. On a
# machine with other work: CLOCK=cpu, which compares the processes' own time. SIZE=tiny is for the test. 6 GiB at most.
# Writes results.json and results.md into OUTPUT. Measured: RESULTS.md beside this file.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../examples/environment.sh"
output=$(realpath -m "${1:-$SAMU_ROOT/outputs/compressor_benchmark}")
samu_environment quickstart
cd "$SAMU_ROOT"
# shellcheck disable=SC2086
samu_run python -m benchmarks.compressor.compare --size "${SIZE:-full}" --output "$output" --threads "${THREADS:-1}" \
    ${CLOCK:+--clock "$CLOCK"} ${PARTS:+--parts "$PARTS"} ${ROUNDS:+--rounds "$ROUNDS"} ${ROWS:+--rows $ROWS}
