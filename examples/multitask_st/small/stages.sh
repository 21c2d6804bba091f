# shellcheck shell=bash
# What the scripts of this recipe share. Each takes the folder of all results as its argument and leaves out stages whose
# results are there; settings come from the environment:
#
#     SOURCE     a folder with the Debian packages of Fish Fillets; without it they are downloaded (140 MB)
#     GAMES      a folder with the Debian packages of the games' texts; without it they are downloaded (0.9 GB)
#     DATA       a folder that `fairseq-samu prepare fillets --targets en,fr,it,es,de` has written, to take the place of that stage
#     SEEDS      of the study's trainings: "1 2"; ARMS: which of them (arms.sh)
#     UPDATES    of every arm; MT_UPDATES and WARM_UPDATES of what comes before (pretraining.sh)
#     CTC_ENCODER  a checkpoint of ctc_encoder.sh, to take the place of that training
#     PRECISION  --bf16 where the processor computes in it (AVX512_BF16, AMX), else nothing

recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$recipe/../../environment.sh"
output=${1:-$SAMU_ROOT/outputs/multitask_st_small}
data=${DATA:-$output/fillets}
texts=$output/mt
samu_environment quickstart
source "$recipe/../../stages.sh"
[ -n "${SAMU_DRY_RUN:-}" ] || mkdir -p "$output"
user=(--user-dir "$SAMU_ROOT/fairseq_samu" "${device[@]}" "${precision[@]}" --num-workers 0)

# train NAME DATA OPTION... : one training; its seconds and its log beside its checkpoint
train() {
    local folder=$output/$1 manifests=$2 began=$SECONDS
    shift 2
    done_before "$folder/seconds" && return
    samu_run mkdir -p "$folder"
    samu_run fairseq-train "$manifests" "${user[@]}" --task multitask_st --arch multitask_st \
        --criterion consistency_multitask --label-smoothing 0.1 --text-dropout 0.1 --clip-norm 5 \
        --no-epoch-checkpoints --no-save-optimizer-state --log-format json --log-interval 10 \
        --log-file "$folder/train.log" --save-dir "$folder" "$@"
    [ -n "${SAMU_DRY_RUN:-}" ] || echo "$((SECONDS - began))" >"$folder/seconds"
}

# prepare : Fish Fillets; text pairs of its training levels and of games; pieces of all of these texts
prepare() {
    local languages=en,fr,it,es,de collected=$recipe/../../samu_xlsr_mbart/small/parallel_text.py
    done_before "$data/test.tsv" ||
        samu_run fairseq-samu prepare fillets --targets "$languages" ${SOURCE:+--source "$SOURCE"} --output "$data"
    done_before "$output/text/counts.json" ||
        samu_run python "$collected" --fillets "$data" ${GAMES:+--source "$GAMES"} --languages cs,nl,de,fr,it,es \
            --output "$output/text"
    done_before "$texts/counts.json" ||
        samu_run python "$recipe/text_pairs.py" --data "$data" --pairs "$output/text/pairs.tsv" --sources cs,nl \
            --targets "$languages" --output "$texts"
    done_before "$texts/sentencepiece.model" ||
        samu_run fairseq-samu prepare sentencepiece "$texts/train.tsv" "$texts/games/train.tsv" \
            --columns src_text,tgt_text --size 2000 --output "$texts"
}
