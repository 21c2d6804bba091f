#!/usr/bin/env bash
# Measures the trainings of the study that are done, at any time: what is there already is left out.
#
#     examples/samu_slu/small/measure.sh [OUTPUT]
#
# Beside each checkpoint: test.out and score.json of the rows in its languages (best path); zero.out and zero.json of a
# language that it has not seen; retention.json and .npy, retrieval of prompts that are no part of the compositions;
# and compositions.json and .npy, retrieval of test compositions across languages. Beside the runs: two systems that
# hear nothing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
measured=$output/measured
[ -n "${SAMU_DRY_RUN:-}" ] || mkdir -p "$measured"

# tag FOLDER LANGUAGES NAME : read the test rows of some languages, and score that
tag() {
    local folder=$1 languages=$2 name=$3
    done_before "$folder/$name.out" ||
        into "$folder/$name.out" fairseq-generate "$data" --user-dir "$SAMU_ROOT/fairseq_samu" "${device[@]}" --task dual_slu \
            --path "$folder/checkpoint_last.pt" --gen-subset test --languages "$languages" --feature-cache "$output/features" \
            --beam 1 --batch-size 32 --num-workers 0
    done_before "$folder/$name.json" ||
        samu_run fairseq-samu score slu --generate "$folder/$name.out" --manifest "$data/test.tsv" --languages "$languages" \
            --json "$folder/$name.json"
}

# search FOLDER ROWS AUDIO : retrieve texts and recordings by those of measured/ROWS.tsv
search() {
    local folder=$1 rows=$2 audio=$3
    done_before "$folder/$rows.json" ||
        samu_run fairseq-samu retrieve --manifest "$measured/$rows.tsv" --audio-root "$audio" --teacher-table "$output/teacher" \
            --checkpoint "$folder/checkpoint_last.pt" --save-embeddings "$folder/$rows.npy" --json "$folder/$rows.json"
}

# finished PATTERN : folders of the runs that are done
finished() {
    local file
    [ -z "${SAMU_DRY_RUN:-}" ] || echo "$output/dual-fr-1"
    for file in "$output"/$1/seconds; do
        [ ! -e "$file" ] || dirname "$file"
    done
}

# languages_of FOLDER : fr,it of dual-fr_it-1, es of dual-es0.1-1
languages_of() {
    local languages
    languages=$(basename "$1" | cut -d- -f2)
    languages=${languages%%[0-9]*}
    echo "${languages//_/,}"
}

done_before "$measured/retention.tsv" ||
    samu_run python "$recipe/measured_rows.py" prompts --manifest "$prompts/test.tsv" --parts "$data/prompts.tsv" \
        --languages fr,it --output "$measured/retention.tsv"
done_before "$measured/compositions.tsv" ||
    samu_run python "$recipe/measured_rows.py" compositions --manifest "$data/test.tsv" --count "${COMPOSITIONS:-60}" \
        --languages fr,it --output "$measured/compositions.tsv"
for baseline in majority oracle; do
    done_before "$measured/$baseline.txt" ||
        samu_run python "$recipe/baselines.py" "$baseline" --train "$data/train.tsv" --manifest "$data/test.tsv" \
            --output "$measured/$baseline.txt"
done

for folder in $(finished 'head-*') $(finished 'dual-*') $(finished 'sequential-*') $(finished 'tagging-*') $(finished 'lambda*-*'); do
    tag "$folder" "$(languages_of "$folder")" test
done
search "$output/base" retention "$prompts"
for arm in dual sequential tagging 'lambda*'; do
    for folder in $(finished "$arm-fr-*") $(finished "$arm-it-*") $(finished "$arm-fr_it-*"); do
        search "$folder" retention "$prompts"
    done
done
for arm in dual sequential; do
    for languages in fr_it:es fr:it it:fr; do
        for folder in $(finished "$arm-${languages%:*}-1"); do
            tag "$folder" "${languages#*:}" zero
        done
    done
done
for folder in "$output/base" $(finished 'dual-fr_it-*') $(finished 'sequential-fr_it-*') $(finished 'tagging-fr_it-*'); do
    search "$folder" compositions "$data"
done
