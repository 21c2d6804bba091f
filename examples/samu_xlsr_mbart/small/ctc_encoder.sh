#!/usr/bin/env bash
# The encoder that the semantic one is compared with: Whisper-base learns the transcripts of the same recordings by CTC
# (figure 6 of arXiv:2306.00789), with as many updates.
#
#     examples/samu_xlsr_mbart/small/ctc_encoder.sh [OUTPUT]
#
# First the head on frozen frames, then all transformer layers with it. Writes OUTPUT/ctc/checkpoint_last.pt.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
updates=${ENCODER_UPDATES:-180}
prepare

recognise=(--task multitask_st --tasks asr --vocabulary-languages cs,nl --max-audio-seconds 12
    --sentencepiece-model "$output/characters/sentencepiece.model"
    --arch samu_xlsr_mbart --without-decoder --ctc-head --encoder-path whisper-base
    --criterion ctc_ce --ce-weight 0 --ctc-weight 1 --weight-decay 0.01 --clip-norm 10 --batch-size 32 --seed 1)

done_before "$output/characters/sentencepiece.model" ||
    samu_run fairseq-samu prepare sentencepiece "$data/train.tsv" --columns src_text --model-type char --size 200 \
        --output "$output/characters"
train ctc_head "${recognise[@]}" --tuned-groups ctc_head --feature-cache "$output/features" --lr 0.001 $(phases "${HEAD_UPDATES:-600}")
train ctc "${recognise[@]}" --tuned-groups encoder,ctc_head --feature-cache "$output/features" --lr 0.0001 \
    $(phases "$updates") --finetune-from-model "$output/ctc_head/checkpoint_best.pt" --disable-validation
