# shellcheck shell=bash
# What the scripts of this recipe share. Each takes the folder of all results as its argument and leaves out stages whose
# results are there; settings come from the environment:
#
#     SOURCE     a folder with the Debian packages; without it they are downloaded (fillets 140 MB, games 0.9 GB)
#     DATA       a folder that `fairseq-samu prepare fillets` has written, to take the place of that stage
#     SEEDS      of the study's trainings: "1 2"
#     PRECISION  --bf16 where the processor computes in it (AVX512_BF16, AMX), else nothing

recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$recipe/../../environment.sh"
output=${1:-$SAMU_ROOT/outputs/samu_xlsr_mbart_small}
data=${DATA:-$output/fillets}
samu_environment quickstart
[ -n "${SAMU_DRY_RUN:-}" ] || mkdir -p "$output"

source "$recipe/../../stages.sh"

# train NAME OPTION... : one training in bfloat16 where that is fast; its seconds and its log beside its checkpoints
train() {
    local folder=$output/$1 began=$SECONDS
    shift
    done_before "$folder/seconds" && return
    samu_run mkdir -p "$folder"
    samu_run fairseq-train "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --audio-root "$data" "${device[@]}" \
        "${precision[@]}" --num-workers 0 --no-epoch-checkpoints --log-format json --log-interval 10 \
        --optimizer adam --adam-betas "(0.9, 0.98)" --lr-scheduler tri_stage --final-lr-scale 0.02 \
        --batch-size 16 --batch-size-valid 32 --log-file "$folder/train.log" --save-dir "$folder" "$@"
    [ -n "${SAMU_DRY_RUN:-}" ] || echo "$((SECONDS - began))" >"$folder/seconds"
}

# prepare : Fish Fillets, and its training and validation rows by language
prepare() {
    done_before "$data/test.tsv" ||
        samu_run fairseq-samu prepare fillets ${SOURCE:+--source "$SOURCE"} --output "$data"
    done_before "$data/valid_nl.tsv" ||
        samu_run python "$recipe/rows_of_languages.py" --data "$data" --languages cs,nl
}
