#!/usr/bin/env bash
# Measures the trainings of the study that are done, at any time: what is there already is left out.
#
#     examples/multitask_st/small/measure.sh [OUTPUT] [RUN...]
#
# RUN is the name of a training such as base-1; left out, all that are done are measured, and the text models on transcripts.
# Beside each checkpoint: test.out (translations), ref.out (probabilities of the references), asr.out (best paths of CTC),
# compression.json (segments of every recording).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
measured=$output/measured
cache=(--feature-cache "$output/features")

# decode FILE DATA SUBSET CHECKPOINT OPTION... : what fairseq-generate writes, and its seconds beside it
decode() {
    local file=$1 manifests=$2 subset=$3 checkpoint=$4 began=$SECONDS
    shift 4
    done_before "$file" && return
    into "$file" fairseq-generate "$manifests" "${user[@]}" --task multitask_st --path "$checkpoint" --gen-subset "$subset" \
        --audio-root "$data" --batch-size 64 "$@"
    [ -n "${SAMU_DRY_RUN:-}" ] || echo "$((SECONDS - began))" >"$file.seconds"
}

# measure FOLDER : all of one run
measure() {
    local folder=$1
    local checkpoint=$folder/checkpoint_last.pt
    decode "$folder/ref.out" "$data" test "$checkpoint" "${cache[@]}" --tasks st --score-reference
    decode "$folder/test.out" "$data" test "$checkpoint" "${cache[@]}" --tasks st --beam 5 --lenpen 1.2
    decode "$folder/asr.out" "$measured" recordings "$checkpoint" "${cache[@]}" --tasks asr --ctc-decoding
    done_before "$folder/compression.json" ||
        samu_run python "$recipe/compression.py" --checkpoint "$checkpoint" --manifest "$measured/recordings.tsv" \
            --audio-root "$data" "${cache[@]}" --output "$folder/compression.json"
}

done_before "$measured/recordings.tsv" ||
    samu_run python "$recipe/recordings.py" --manifest "$data/test.tsv" --output "$measured/recordings.tsv"
runs=("${@:2}")
if [ "${#runs[@]}" = 0 ]; then
    for variant in l2g plain; do
        folder=$output/mt-$variant
        [ -e "$folder/seconds" ] || [ -n "${SAMU_DRY_RUN:-}" ] || continue
        decode "$folder/ref.out" "$data" test "$folder/checkpoint_best.pt" --tasks mt --score-reference
        decode "$folder/test.out" "$data" test "$folder/checkpoint_best.pt" --tasks mt --beam 5 --lenpen 1.2
    done
    for file in "$output"/arms/*/seconds; do
        [ ! -e "$file" ] || runs+=("$(basename "$(dirname "$file")")")
    done
fi
[ -z "${SAMU_DRY_RUN:-}" ] || runs=(base-1)
for run in "${runs[@]}"; do
    measure "$output/arms/$run"
done
