#!/usr/bin/env bash
# Measures the bases and the trainings of the study that are done, at any time: what is there already is left out.
#
#     examples/low_resource_asr/small/measure.sh [OUTPUT] [RUN...]
#
# RUN is the folder of a training below OUTPUT, such as arms/whisper/encoder-1; left out, all that are done are measured.
# Beside each checkpoint: transcripts of the new languages by decoder and CTC together (joint.out), of the main arms by the
# decoder alone (new.out), and where they can differ from the base's by CTC's best path (ctc.out); of the languages that the
# base has heard, where something is tuned that they go through (seen.out, forgetting.html). info.json says what is tuned.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"

# decode FILE SUBSET CHECKPOINT OPTION... : what fairseq-generate writes
decode() {
    local file=$1 subset=$2 checkpoint=$3
    shift 3
    done_before "$file" && return
    into "$file" fairseq-generate "$data" "${user[@]}" --task multitask_st --tasks asr --path "$checkpoint" \
        --gen-subset "$subset" --feature-cache "$output/features" --batch-size 64 --max-len-b 100 "$@"
}

# measure RUN : all of one run
measure() {
    local folder=$output/$1 arm=${1##*/}
    local checkpoint=$folder/checkpoint_last.pt
    [ "${arm%-*}" != text ] || checkpoint=$folder/full.pt
    done_before "$folder/info.json" || into "$folder/info.json" fairseq-samu convert --info "$folder/checkpoint_last.pt"
    decode "$folder/joint.out" test_new "$checkpoint" --beam 5 --ctc-decoding-weight 0.5
    case $arm in base-* | length-* | pivot*) decode "$folder/seen.out" test_seen "$checkpoint" --beam 5 --ctc-decoding-weight 0.5 ;; esac
    case $arm in length-* | pivot*)
        local base
        base=$output/base-$(basename "$(dirname "$folder")")
        done_before "$folder/forgetting.json" ||
            samu_run fairseq-samu report forgetting --manifest "$data/test_seen.tsv" --before "$base/seen.out" \
                --after "${arm%-*}=$folder/seen.out" --normalise basic --json "$folder/forgetting.json" \
                --output "$folder/forgetting.html"
        ;;
    esac
    case $arm in *[a-z][0-9]-* | pivot* | *wide-*) ;; *) decode "$folder/new.out" test_new "$checkpoint" --beam 5 ;; esac
    case $arm in base-* | encoder* | both-*) decode "$folder/ctc.out" test_new "$checkpoint" --ctc-decoding ;; esac
}

runs=("${@:2}")
if [ "${#runs[@]}" = 0 ]; then
    for file in "$output"/base-*/seconds "$output"/arms/*/*/seconds; do
        [ ! -e "$file" ] || runs+=("$(realpath --relative-to "$output" "$(dirname "$file")")")
    done
fi
[ -z "${SAMU_DRY_RUN:-}" ] || runs=(base-whisper arms/whisper/text-1 arms/whisper/length-1)
for run in "${runs[@]}"; do
    measure "$run"
done
