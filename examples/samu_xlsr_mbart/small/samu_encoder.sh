#!/usr/bin/env bash
# The semantic encoder: Whisper-base learns the English sentence embedding of Czech and Dutch recordings.
#
#     examples/samu_xlsr_mbart/small/samu_encoder.sh [OUTPUT]
#
# First the head on frozen frames, then all transformer layers with it (the convolutions stay frozen, as in the paper).
# Writes OUTPUT/samu/checkpoint_last.pt, and what retrieval says before and after.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
updates=${ENCODER_UPDATES:-180}
prepare

distil=(--task samu_distill --teacher-table "$output/teacher" --teacher-text-column tgt_text --max-audio-seconds 12
    --arch samu_xlsr --frame-perceptron-dim 256 --num-pooling-heads 8 --head-dropout 0.1 --encoder-path whisper-base
    --criterion cosine_kd --kd-scale 20 --weight-decay 0.01 --clip-norm 10 --batch-size 32 --seed 1
    --best-checkpoint-metric recall_at_1 --maximize-best-checkpoint-metric)

# retrieve NAME CHECKPOINT : recall of the English lines of the test set
retrieve() {
    done_before "$output/$1.json" ||
        samu_run fairseq-samu retrieve --checkpoint "$2" --manifest "$data/test.tsv" \
            --teacher-table "$output/teacher" --text-languages en --json "$output/$1.json"
}

done_before "$output/teacher/meta.json" ||
    samu_run fairseq-samu embed "$data/train.tsv" "$data/valid.tsv" "$data/test.tsv" --text-column src_text,tgt_text \
        --teacher use --output "$output/teacher"
train samu_head "${distil[@]}" --num-tuned-layers 0 --feature-cache "$output/features" --lr 0.001 $(phases "${HEAD_UPDATES:-600}")
retrieve samu_head "$output/samu_head/checkpoint_best.pt"
train samu "${distil[@]}" --num-tuned-layers -1 --lr 0.0001 $(phases "$updates") \
    --finetune-from-model "$output/samu_head/checkpoint_best.pt" --disable-validation
retrieve samu "$output/samu/checkpoint_last.pt"
