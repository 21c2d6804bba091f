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

# What all three trainings share. 62 batches an epoch.
common=(
    "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --task samu_distill --teacher-table "$output/teacher"
    --arch samu_xlsr --encoder-path whisper-base --criterion cosine_kd --kd-scale 20
    --optimizer adam --adam-betas "(0.9, 0.98)" --weight-decay 0.01 --clip-norm 10
    --batch-size 32 --batch-size-valid 32 --num-workers 0 --seed 1
    --no-epoch-checkpoints --best-checkpoint-metric recall_at_1 --maximize-best-checkpoint-metric
    --log-format json --log-interval 20
)
head=(--num-tuned-layers 0 --frame-perceptron-dim 512 --num-pooling-heads 8 --head-dropout 0.3)
cpu=(--cpu)
! python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null || cpu=()

# stage NAME FILE MESSAGE: whether the stage is still to be done
todo() {
    if [ -e "$2" ] && [ -z "${SAMU_DRY_RUN:-}" ]; then
        samu_say "== $1: done before ($2)"
        return 1
    fi
    samu_say "== $1"
}

# train NAME OPTION...: one training, its log beside its checkpoints
train() {
    local folder=$output/$1
    shift
    mkdir -p "$folder"
    samu_run fairseq-train "${common[@]}" "${cpu[@]}" --save-dir "$folder" --log-file "$folder/train.log" "$@"
    [ -n "${SAMU_DRY_RUN:-}" ] || touch "$folder/finished"
}

# retrieve NAME CHECKPOINT OPTION...: recall on the held-out prompts
retrieve() {
    local name=$1 checkpoint=$2
    shift 2
    samu_run fairseq-samu retrieve --checkpoint "$checkpoint" --manifest "$data/test.tsv" --texts "$data/texts.tsv" \
        --teacher-table "$output/teacher" --json "$output/$name.json" "$@"
}

if todo "1/6 Embedding the texts with USE-multilingual, the teacher" "$output/teacher/meta.json"; then
    samu_run fairseq-samu embed "$data/texts.tsv" --text-column text --teacher use --output "$output/teacher"
fi
if todo "2/6 Training: Whisper-base frozen, its frames computed once, 20 epochs of the head" "$output/model/finished"; then
    train model "${head[@]}" --feature-cache "$output/features" --max-epoch 20 --lr 0.001 \
        --lr-scheduler tri_stage --warmup-steps 124 --hold-steps 372 --decay-steps 744 --final-lr-scale 0.02
fi
if todo "3/6 Searching the texts of 86 held-out prompts with 430 recordings, all 25 pairs of languages" "$output/model.json"; then
    retrieve model "$output/model/checkpoint_best.pt" --heat-map "$output/heat_map.svg" \
        --neighbours "$output/neighbours.json"
fi
if todo "4/6 Beside it: the same before training" "$output/untrained.json"; then
    train untrained "${head[@]}" --feature-cache "$output/features" --max-update 1 --lr 0 --lr-scheduler fixed
    retrieve untrained "$output/untrained/checkpoint_last.pt"
fi
if todo "5/6 Beside it: a small encoder from scratch on the same recordings" "$output/scratch.json"; then
    train scratch --encoder-path "" --encoder-config "$(tr -d '\n' <"$SAMU_ROOT/examples/quickstart/scratch_encoder.json")" \
        --num-pooling-heads 8 --tune-feature-extractor --max-epoch 3 --lr 0.0005 --lr-scheduler fixed --max-audio-seconds 6
    retrieve scratch "$output/scratch/checkpoint_best.pt"
fi
if todo "6/6 Writing the page" "$output/report.html"; then
    samu_run fairseq-samu report retrieval --json "$output/model.json" --neighbours "$output/neighbours.json" \
        --train-log "$output/model/train.log" --manifest "$data/test.tsv" --audio-root "$data" \
        --baseline "before training=$output/untrained.json" --baseline "from scratch=$output/scratch.json" \
        --output "$output/report.html"
fi
samu_say "Done in ${SECONDS} s. Open $output/report.html in a browser."
