# shellcheck shell=bash
# What the scripts of this recipe share. Each takes the folder of all results as its argument and leaves out stages whose
# results are there; settings come from the environment:
#
#     DATA       a folder that `fairseq-samu prepare composed-prompts` has written, to take the place of that stage
#     SEEDS      of the study's trainings: "1 2"
#     UPDATES    of every arm of the study: 100; HEAD_UPDATES of the tagging head on frozen frames: 500
#     PRECISION  --bf16 where the processor computes in it (AVX512_BF16, AMX), else nothing

recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$recipe/../../environment.sh"
output=${1:-$SAMU_ROOT/outputs/samu_slu_small}
prompts=$SAMU_ROOT/manifests/prompts
data=${DATA:-$output/composed}
samu_environment quickstart
source "$recipe/../../stages.sh"
[ -n "${SAMU_DRY_RUN:-}" ] || mkdir -p "$output"

# train NAME MANIFESTS OPTION... : one training; its seconds and its log beside its checkpoint
train() {
    local folder=$output/$1 manifests=$2 began=$SECONDS
    shift 2
    done_before "$folder/seconds" && return
    samu_run mkdir -p "$folder"
    samu_run fairseq-train "$manifests" --user-dir "$SAMU_ROOT/fairseq_samu" "${device[@]}" "${precision[@]}" \
        --teacher-table "$output/teacher" --feature-cache "$output/features" --num-workers 0 --clip-norm 10 \
        --disable-validation --no-epoch-checkpoints --no-save-optimizer-state --log-format json --log-interval 10 \
        --lr-scheduler tri_stage --final-lr-scale 0.02 --log-file "$folder/train.log" --save-dir "$folder" "$@"
    [ -n "${SAMU_DRY_RUN:-}" ] || echo "$((SECONDS - began))" >"$folder/seconds"
}

# prepare : the corpus, the labels of its training texts, and the teacher's embeddings of its texts and of the prompts'
prepare() {
    done_before "$data/test.tsv" || samu_run fairseq-samu prepare composed-prompts --output "$data"
    done_before "$output/labels.txt" ||
        samu_run fairseq-samu prepare concept-labels --manifest "$data/train.tsv" --output "$output/labels.txt"
    done_before "$output/teacher/meta.json" ||
        samu_run fairseq-samu embed "$prompts"/{train,valid,test}.tsv "$data"/{train,valid,test}.tsv --teacher use \
            --output "$output/teacher"
}
