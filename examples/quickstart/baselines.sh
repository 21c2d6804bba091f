#!/usr/bin/env bash
# The numbers beside the quickstart's: the same model before training, and a small encoder from scratch, both measured
# on the same recordings. Their results stand in baselines/ and on the page; this command makes them anew.
#
#     examples/quickstart/baselines.sh [OUTPUT]      # the OUTPUT of run.sh, whose teacher and features it shares
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"
output=${1:-$SAMU_ROOT/outputs/quickstart}
data=$SAMU_ROOT/manifests/prompts
results=$SAMU_ROOT/examples/quickstart/baselines
samu_environment quickstart
mkdir -p "$output" "$results"
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"

if todo "1/3 Embedding the texts" "$output/teacher/meta.json"; then
    embed
fi
if todo "2/3 Before training" "$output/untrained/finished"; then
    train untrained "${head[@]}" --max-epoch 1 --max-update 1 --lr 0 --lr-scheduler fixed
    retrieve "$output/untrained/checkpoint_last.pt" "$results/untrained.json"
fi
if todo "3/3 From scratch" "$output/scratch/finished"; then
    sizes=$(cat "$SAMU_ROOT/examples/quickstart/scratch_encoder.json")
    train scratch --encoder-config "$sizes" --tune-feature-extractor --num-pooling-heads 8 --max-epoch 10 \
        --lr 0.0005 --lr-scheduler fixed
    retrieve "$output/scratch/checkpoint_best.pt" "$results/scratch.json"
fi
