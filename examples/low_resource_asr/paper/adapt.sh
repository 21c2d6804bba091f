#!/usr/bin/env bash
# The paper's six ways to adapt a base to the speech of a language (arXiv:2410.13445), at its widths. Not run by us.
#
#     BASE=... FLEURS=... PAIRS=... examples/low_resource_asr/paper/adapt.sh RECIPE [LANGUAGE] [OUTPUT]
#
# RECIPE is one of
#     encoder        encoder adapters, on 5 hours of speech
#     decoder        decoder adapters, on the same
#     length         the length adapter, on the same
#     text           decoder adapters, on English texts and their translations: no speech, and no encoder is built
#     text-encoder   from there, encoder adapters on the speech
#     pivot          the length adapter, on speech of a related language (PIVOT, bn); LANGUAGE's is only tested
#
# LANGUAGE is or when left out. BASE is a checkpoint of base.sh; what else is set in the environment stands in stages.sh.
# Writes OUTPUT/RECIPE-WIDTH, the transcripts of LANGUAGE's test set and their word and character error rates in there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../environment.sh"
recipe=${1:-encoder}
language=${2:-or}
output=${3:-$SAMU_ROOT/outputs/low_resource_asr_$language}
data=$output/fleurs
pivot=${PIVOT:-bn}
width=${WIDTH:-256}
source "$here/stages.sh"
base=${BASE:-$SAMU_ROOT/outputs/low_resource_asr_base/base/checkpoint_last.pt}
run=$recipe-$width
text=$output/text-$width

# recognise NAME MANIFESTS BEGIN OPTION... : on speech
recognise() {
    local name=$1 manifests=$2 begin=$3
    shift 3
    train "$name" "$manifests" --tasks asr --joint-tasks --asr-ce-weight 1 --alignment-weight 0 --train-minutes 300 \
        --encoder-path "$begin" --text-path "$begin" "${length_adapter[@]}" --checkpoint-activations --lr 0.0005 \
        --warmup-updates 500 --max-update 5000 --max-tokens 1200000 "$@"
}

# read_texts : decoder adapters from text pairs, and the base with them
read_texts() {
    done_before "$output/pairs/train.tsv" ||
        samu_run fairseq-samu prepare text-pairs --source "${PAIRS:-PAIRS}" --source-file train.en \
            --target-file "train.$language" --source-language en --target-language "$language" --valid-share 0.01 \
            --held-out "$data/valid.tsv,$data/test.tsv" --output "$output/pairs"
    train "text-$width" "$output/pairs" --tasks mt --without-speech --text-path "$base" "${decoder[@]}" --lr 0.0005 \
        --warmup-updates 500 --max-update 10000 --max-tokens 16384
    done_before "$text/full.pt" && return
    samu_run fairseq-samu adapters export "$text/checkpoint_best.pt" --output "$text/adapters"
    samu_run fairseq-samu adapters add "$base" "$text/adapters/$language.safetensors" --output "$text/full.pt"
}

named=(--adapter-names "$language" --adapter-placement one)
encoder=("${named[@]}" --adapter-dim "$width" --tuned-groups encoder_adapters)
decoder=("${named[@]}" --decoder-adapter-dim "$width" --tuned-groups decoder_adapters)
checkpoint=$output/$run/checkpoint_best.pt

prepare_speech "$data" "$language"
case $recipe in
encoder) recognise "$run" "$data" "$base" "${encoder[@]}" ;;
decoder) recognise "$run" "$data" "$base" "${decoder[@]}" ;;
length) recognise "$run" "$data" "$base" --tuned-groups length_adapter ;;
text)
    read_texts
    checkpoint=$text/full.pt
    ;;
text-encoder)
    read_texts
    recognise "$run" "$data" "$text/full.pt" --decoder-adapter-dim "$width" "${encoder[@]}"
    ;;
pivot)
    prepare_speech "$output/fleurs_$pivot" "$pivot"
    recognise "$run" "$output/fleurs_$pivot" "$base" --tuned-groups length_adapter
    ;;
*) samu_fail "RECIPE must be one of encoder decoder length text text-encoder pivot, but is $recipe" ;;
esac

done_before "$output/$run/test/generate-test.txt" ||
    samu_run fairseq-generate "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --task multitask_st --tasks asr \
        --path "$checkpoint" --gen-subset test --beam 5 --max-tokens 2400000 --fp16 --num-workers 4 \
        --results-path "$output/$run/test"
samu_run fairseq-samu score asr --generate "$output/$run/test/generate-test.txt" --manifest "$data/test.tsv" \
    --normalise basic --json "$output/$run/scores.json"
