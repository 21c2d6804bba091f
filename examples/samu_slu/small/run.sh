#!/usr/bin/env bash
# The paper's claims in miniature: distilling and tagging together against one after the other, on composed prompts.
#
#     examples/samu_slu/small/run.sh [OUTPUT]
#
# Every stage is left out where its result exists; settings are described in stages.sh. From one semantic encoder a tagging
# head learns to read its frozen frames, once for each seed and mix of languages. From there, three ways to spend the same
# number of updates on the encoder's last two layers and the heads:
#     dual        both losses from the first update to the last
#     sequential  a quarter of the updates distils the corpus' transcripts, the others tag with CTC alone
#     tagging     CTC alone
# on French, Italian, and both; then a third language with little data, and the weight lambda of tagging. The last stage
# prints the tables of RESULTS.md.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
seeds=${SEEDS:-1 2}
updates=${UPDATES:-100}
mixes=${MIXES:-fr it fr,it}
samu_run bash "$recipe/encoder.sh" "$output"

# understand NAME ENCODER LANGUAGES SEED UPDATES OPTION... : one training of the task
understand() {
    local name=$1 encoder=$2 languages=$3 seed=$4 count=$5
    shift 5
    train "$name" "$data" --task dual_slu --concept-labels "$output/labels.txt" --languages "$languages" \
        --arch samu_slu --encoder-path "$encoder" --num-tuned-layers 2 --head-dropout 0.1 --lstm-dim 256 \
        --num-lstm-layers 1 --slu-hidden-dim 256 --slu-dropout 0.1 --criterion dual_slu --optimizer grouped \
        --batch-size 16 --seed "$seed" $(phases "$count") "$@"
}
# What is pre-trained moves slowly; a head whose loss has no weight is frozen and has no rate.
both=(--lr 0.001 --lr-scales "encoder=0.1,head=0.3")
alone=(--lr 0.001 --lr-scales encoder=0.1)
base=$output/base/checkpoint_last.pt

for seed in $seeds; do
    for mix in $mixes; do
        run=${mix//,/_}-$seed
        head=$output/head-$run/checkpoint_last.pt
        understand "head-$run" "$base" "$mix" "$seed" "${HEAD_UPDATES:-500}" --num-tuned-layers 0 --semantic-weight 0 --lr 0.003
        understand "dual-$run" "$base" "$mix" "$seed" "$updates" --slu-checkpoint "$head" --slu-weight 5 "${both[@]}"
        understand "tagging-$run" "$base" "$mix" "$seed" "$updates" --slu-checkpoint "$head" --semantic-weight 0 "${alone[@]}"
        understand "distilled-$run" "$base" "$mix" "$seed" $((updates / 4)) --slu-weight 0 "${both[@]}"
        understand "sequential-$run" "$output/distilled-$run/checkpoint_last.pt" "$mix" "$seed" $((updates * 3 / 4)) \
            --slu-checkpoint "$head" --semantic-weight 0 "${alone[@]}"
    done
done

for weight in ${LAMBDAS:-0.2 1 20}; do
    understand "lambda$weight-fr-1" "$base" fr 1 "$updates" --slu-checkpoint "$output/head-fr-1/checkpoint_last.pt" \
        --slu-weight "$weight" "${both[@]}"
done

# A third language: what was trained on French and Italian goes on with a part of the Spanish rows.
for share in ${SHARES:-0.05 0.1 0.25 0.5}; do
    for way in dual sequential; do
        from=$output/$way-fr_it-1/checkpoint_last.pt
        options=(--slu-weight 5 "${both[@]}")
        [ "$way" = dual ] || options=(--semantic-weight 0 "${alone[@]}")
        understand "$way-es$share-1" "$from" es 1 $((updates * 2 / 5)) --slu-checkpoint "$from" --train-share "$share" \
            "${options[@]}"
    done
done
samu_run bash "$recipe/measure.sh" "$output"
samu_run python "$recipe/study_tables.py" --output "$output" --manifest "$data/test.tsv"
