#!/usr/bin/env bash
# Czech and Dutch recordings of a game find their English lines: a frozen Whisper-base encoder, then its last layer tuned.
#
#     examples/samu_xlsr/small/run.sh [OUTPUT]      # OUTPUT: outputs/samu_xlsr_small in the clone
#
# SOURCE names a folder of the Debian packages where they are at hand; otherwise they are downloaded. SEEDS ("1 2") and
# EPOCHS (10) can be changed. Every stage is skipped where its result exists. Measured: RESULTS.md beside this file.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../environment.sh"
output=${1:-$SAMU_ROOT/outputs/samu_xlsr_small}
data=$output/fillets
epochs=${EPOCHS:-10}
samu_environment quickstart
[ -n "${SAMU_DRY_RUN:-}" ] || mkdir -p "$output"

done_before() { [ -e "$1" ] && [ -z "${SAMU_DRY_RUN:-}" ]; }

# train NAME OPTION... : one training, its log beside its checkpoints. 84 batches an epoch.
train() {
    local folder=$output/$1
    shift
    done_before "$folder/finished" && return
    samu_run mkdir -p "$folder"
    samu_run fairseq-train "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --task samu_distill \
        --teacher-table "$output/teacher" --teacher-text-column tgt_text \
        --arch samu_xlsr --encoder-path whisper-base \
        --frame-perceptron-dim 256 --num-pooling-heads 8 --head-dropout 0.1 \
        --criterion cosine_kd --kd-scale 20 \
        --optimizer adam --adam-betas "(0.9, 0.98)" --weight-decay 0.01 --clip-norm 10 \
        --batch-size 32 --batch-size-valid 32 --num-workers 0 --cpu --no-epoch-checkpoints \
        --best-checkpoint-metric recall_at_1 --maximize-best-checkpoint-metric \
        --log-format json --log-interval 20 --log-file "$folder/train.log" --save-dir "$folder" "$@"
    samu_run touch "$folder/finished"
}

retrieve() {
    done_before "$output/$1.json" && return
    samu_run fairseq-samu retrieve --checkpoint "$output/$1/checkpoint_best.pt" --manifest "$data/test.tsv" \
        --teacher-table "$output/teacher" --text-languages en \
        --save-embeddings "$output/$1.npy" --json "$output/$1.json"
}

done_before "$data/test.tsv" ||
    samu_run fairseq-samu prepare fillets ${SOURCE:+--source "$SOURCE"} --output "$data"
done_before "$output/teacher/meta.json" ||
    samu_run fairseq-samu embed "$data/train.tsv" "$data/valid.tsv" "$data/test.tsv" --text-column src_text,tgt_text \
        --teacher use --output "$output/teacher"

frozen=(--num-tuned-layers 0 --feature-cache "$output/features" --max-epoch "$epochs" --lr 0.001
    --lr-scheduler tri_stage --warmup-steps $((epochs * 84 / 10)) --hold-steps $((epochs * 84 * 3 / 10))
    --decay-steps $((epochs * 84 * 6 / 10)) --final-lr-scale 0.02)
tuned=(--num-tuned-layers 1 --max-update 168 --lr 0.0001 --validate-interval-updates 84
    --lr-scheduler tri_stage --warmup-steps 17 --hold-steps 67 --decay-steps 84 --final-lr-scale 0.02)
arms=()
for seed in ${SEEDS:-1 2}; do
    train "cosine-$seed" "${frozen[@]}" --seed "$seed"
    train "contrastive-$seed" "${frozen[@]}" --seed "$seed" --contrastive-weight 2
    train "tuned-$seed" "${tuned[@]}" --seed "$seed" --finetune-from-model "$output/cosine-$seed/checkpoint_best.pt"
    for arm in cosine contrastive tuned; do
        retrieve "$arm-$seed"
        arms+=("$output/$arm-$seed.npy")
    done
done
samu_run python "$here/tabulate.py" --manifest "$data/test.tsv" --teacher-table "$output/teacher" "${arms[@]}"
