#!/usr/bin/env bash
# Czech and Dutch recordings of a game find their English lines: a frozen Whisper-base encoder, then its last layer tuned.
#
#     examples/samu_xlsr/small/run.sh [OUTPUT]      # OUTPUT: outputs/samu_xlsr_small_CORPUS in the clone
#
# SOURCE names a folder of the Debian packages where they are at hand; otherwise they are downloaded. CORPUS (fillets, or
# tuxpaint: six languages), SEEDS ("1 2"), ARMS ("cosine contrastive tuned") and EPOCHS (10) can be changed. Every stage is
# skipped where its result exists. Measured: RESULTS.md beside this file.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../environment.sh"
corpus=${CORPUS:-fillets}
output=${1:-$SAMU_ROOT/outputs/samu_xlsr_small_$corpus}
data=$output/$corpus
epochs=${EPOCHS:-10}
samu_environment quickstart
[ -n "${SAMU_DRY_RUN:-}" ] || mkdir -p "$output"

done_before() { [ -e "$1" ] && [ -z "${SAMU_DRY_RUN:-}" ]; }

# train NAME OPTION... : one training, its log beside its checkpoints.
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
    samu_run fairseq-samu prepare "$corpus" ${SOURCE:+--source "$SOURCE"} --output "$data"
done_before "$output/teacher/meta.json" ||
    samu_run fairseq-samu embed "$data/train.tsv" "$data/valid.tsv" "$data/test.tsv" --text-column src_text,tgt_text \
        --teacher use --output "$output/teacher"

steps=840
[ ! -e "$data/train.tsv" ] || steps=$(((($(wc -l <"$data/train.tsv") + 30) / 32) * epochs))
frozen=(--num-tuned-layers 0 --feature-cache "$output/features" --max-epoch "$epochs" --lr 0.001
    --lr-scheduler tri_stage --warmup-steps $((steps / 10)) --hold-steps $((steps * 3 / 10)) --decay-steps $((steps * 6 / 10))
    --final-lr-scale 0.02)
tuned=(--num-tuned-layers 1 --max-update 60 --lr 0.0001
    --lr-scheduler tri_stage --warmup-steps 6 --hold-steps 24 --decay-steps 30 --final-lr-scale 0.02)
arms=()
for seed in ${SEEDS:-1 2}; do
    for arm in ${ARMS:-cosine contrastive tuned}; do
        case $arm in
            cosine) train "cosine-$seed" "${frozen[@]}" --seed "$seed" ;;
            contrastive) train "contrastive-$seed" "${frozen[@]}" --seed "$seed" --contrastive-weight 2 ;;
            tuned)
                train "tuned-$seed" "${tuned[@]}" --seed "$seed" \
                    --finetune-from-model "$output/cosine-$seed/checkpoint_best.pt"
                ;;
        esac
        retrieve "$arm-$seed"
        arms+=("$output/$arm-$seed.npy")
    done
done
samu_run python "$here/tabulate.py" --manifest "$data/test.tsv" --teacher-table "$output/teacher" "${arms[@]}"
