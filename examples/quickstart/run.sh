#!/usr/bin/env bash
# From a clone to a page on which recordings in five languages find each other's texts, by a model trained here.
#
#     examples/quickstart/run.sh [OUTPUT]      # OUTPUT: outputs/quickstart in the clone
#
# It makes a virtual environment when none is active, distils USE-multilingual into a head on Whisper-base's frozen
# encoder with the recordings of manifests/prompts, measures retrieval on prompts that were held out, and writes
# OUTPUT/report.html. Every stage is skipped where its result exists; an interrupted run goes on where it stopped.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"
output=${1:-$SAMU_ROOT/outputs/quickstart}
data=$SAMU_ROOT/manifests/prompts
samu_environment quickstart
mkdir -p "$output"

source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
baselines=$SAMU_ROOT/examples/quickstart/baselines # measured once by baselines.sh

if todo "1/4 Embedding the texts with USE-multilingual, the teacher" "$output/teacher/meta.json"; then
    embed
fi
if todo "2/4 Training: Whisper-base frozen, its frames computed once, 20 epochs of the head" "$output/model/finished"; then
    train model "${head[@]}" --max-epoch 20 --lr 0.001 \
        --lr-scheduler tri_stage --warmup-steps 124 --hold-steps 372 --decay-steps 744 --final-lr-scale 0.02
fi
if todo "3/4 Searching the texts of 86 held-out prompts with 430 recordings, all 25 pairs of languages" "$output/model.json"; then
    retrieve "$output/model/checkpoint_best.pt" "$output/model.json" --heat-map "$output/heat_map.svg" \
        --neighbours "$output/neighbours.json"
fi
if todo "4/4 Writing the page" "$output/report.html"; then
    samu_run fairseq-samu report retrieval --json "$output/model.json" --neighbours "$output/neighbours.json" \
        --train-log "$output/model/train.log" --manifest "$data/test.tsv" --audio-root "$data" \
        --baseline "before training=$baselines/untrained.json" --baseline "from scratch=$baselines/scratch.json" \
        --output "$output/report.html"
fi
samu_say "Done in ${SECONDS} s. Open $output/report.html in a browser."
