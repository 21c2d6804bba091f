#!/usr/bin/env bash
# The semantic encoder that every arm begins from: Whisper-base learns the sentence embeddings of the prompts.
#
#     examples/samu_slu/small/encoder.sh [OUTPUT]
#
# First the sentence head on frozen frames, then the last two layers with it. Writes OUTPUT/base/checkpoint_last.pt.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
prepare
distil=(--task samu_distill --arch samu_xlsr --encoder-path whisper-base --frame-perceptron-dim 512 --num-pooling-heads 8
    --criterion cosine_kd --kd-scale 20 --optimizer adam --adam-betas "(0.9, 0.98)" --weight-decay 0.01 --batch-size 32 --seed 1)
train base_head "$prompts" "${distil[@]}" --num-tuned-layers 0 --head-dropout 0.3 --lr 0.001 $(phases "1240")
train base "$prompts" "${distil[@]}" --num-tuned-layers 2 --head-dropout 0.1 --lr 0.0001 $(phases "200") \
    --finetune-from-model "$output/base_head/checkpoint_last.pt"
