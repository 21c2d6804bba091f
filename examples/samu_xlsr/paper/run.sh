#!/usr/bin/env bash
# SAMU-XLSR at the paper's size (arXiv:2306.00789): XLS-R 300M, LaBSE, Common Voice 8. Not run by us.
#
#     COMMON_VOICE=... XLSR=xlsr2_300m.pt LABSE=... examples/samu_xlsr/paper/run.sh [OUTPUT]
#
# COMMON_VOICE holds a folder a language, XLSR is the fairseq file, LABSE a local sentence-transformers directory.
# From the papers: languages, model, loss, alpha .05, 3 to 10 s, speeds, frozen feature extractor. Table I of the paper
# says 53 languages and lists 54 codes; all stand here. Learning rate, schedule, updates and batch (10 minutes an update
# over 8 GPUs) are those of the paper's translation model: for this training it refers to 2205.08180.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../environment.sh"
output=${1:-$SAMU_ROOT/outputs/samu_xlsr_paper}
data=$output/common_voice
labse=${LABSE:-LaBSE}
languages=ar,be,bg,ca,cs,cy,da,de,el,en,eo,es,et,eu,fa,fi,fr,fy-NL,ga-IE,gl,ha,hi,hu,id,it,ja,ka,kmr,ky,lt,lv,mn,mt
languages+=,nl,pl,pt,ro,ru,rw,sk,sl,sv-SE,sw,ta,th,tr,tt,ug,uk,uz,vi,zh-CN,zh-HK,zh-TW
samu_environment quickstart

samu_run fairseq-samu prepare common-voice --source "${COMMON_VOICE:-cv-corpus-8.0-2022-01-19}" --output "$data" \
    --languages "$languages" --min-seconds 3 --max-seconds 10
samu_run fairseq-samu embed "$data/train.tsv" "$data/valid.tsv" "$data/test.tsv" \
    --teacher "sentence-transformers:$labse" --device cuda --dtype float16 --output "$output/teacher"
samu_run fairseq-train "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --task samu_distill \
    --teacher-table "$output/teacher" --sampling-alpha 0.05 --speed-factors 0.9,1.0,1.1 \
    --min-audio-seconds 3 --max-audio-seconds 10 \
    --arch samu_xlsr --encoder-path "${XLSR:-xlsr2_300m.pt}" --embedding-dim 768 --checkpoint-activations \
    --criterion cosine_kd --kd-scale 20 --optimizer adam --adam-betas "(0.9, 0.98)" --clip-norm 10 \
    --lr 0.0005 --lr-scheduler tri_stage --warmup-steps 2800 --hold-steps 11200 --decay-steps 14000 \
    --max-update 28000 --max-tokens 1200000 --update-freq 1 --distributed-world-size 8 --ddp-backend legacy_ddp --fp16 \
    --num-workers 4 \
    --best-checkpoint-metric recall_at_1 --maximize-best-checkpoint-metric \
    --save-interval-updates 1000 --keep-interval-updates 2 --save-dir "$output/model"
samu_run fairseq-samu retrieve --checkpoint "$output/model/checkpoint_best.pt" --manifest "$data/test.tsv" \
    --teacher-table "$output/teacher" --device cuda --json "$output/retrieval.json"
