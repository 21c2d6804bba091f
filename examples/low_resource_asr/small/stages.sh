# shellcheck shell=bash
# What the scripts of this recipe share. Each takes the folder of all results as its argument and leaves out stages whose
# results are there; settings come from the environment:
#
#     SOURCE       a folder with the Debian packages of Tux Paint's stamps; without it they are downloaded (95 MB)
#     TEXTS        a folder with the Debian packages of general texts; without it they are downloaded (8 MB)
#     DATA         a folder that `fairseq-samu prepare tuxpaint` has written, to take the place of that stage
#     FILLETS      a folder that `fairseq-samu prepare fillets` has written; without it, it is prepared (140 MB)
#     CTC_ENCODER  a checkpoint of ctc_encoder.sh of examples/samu_xlsr_mbart/small, to take the place of that training
#     BASES        what the arms begin from: "whisper scratch" (pretraining.sh)
#     SEEDS        of the study's trainings: "1 2"; ARMS: which of them (arms.sh)
#     UPDATES      of every arm; TEXT_UPDATES and BASE_UPDATES of what comes before
#     PRECISION    --bf16 where the processor computes in it (AVX512_BF16, AMX), else nothing

recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$recipe/../../environment.sh"
output=${1:-$SAMU_ROOT/outputs/low_resource_asr_small}
stamps=${DATA:-$output/tuxpaint}
fillets=${FILLETS:-$output/fillets}
data=$output/data
samu_environment quickstart
source "$recipe/../../stages.sh"
[ -n "${SAMU_DRY_RUN:-}" ] || mkdir -p "$output"
user=(--user-dir "$SAMU_ROOT/fairseq_samu" "${device[@]}" "${precision[@]}" --num-workers 0)
seen=fr,es,ru
new=ca,ro,be
packages=iso-codes,libreoffice-l10n-be,libreoffice-l10n-ca,libreoffice-l10n-es,libreoffice-l10n-fr,libreoffice-l10n-ro,libreoffice-l10n-ru

# train NAME OPTION... : one training; its seconds and its log beside its checkpoint
train() {
    local folder=$output/$1 began=$SECONDS
    shift
    done_before "$folder/seconds" && return
    samu_run mkdir -p "$folder"
    samu_run fairseq-train "$data" "${user[@]}" --task multitask_st --arch multitask_st --criterion consistency_multitask \
        --weight-mode fixed --measure-interval 0 --clip-norm 5 --compressor off --l2g-kernel 0 --no-epoch-checkpoints \
        --save-interval 1000 --no-save-optimizer-state --log-format json --log-interval 10 \
        --log-file "$folder/train.log" --lr-scheduler tri_stage --final-lr-scale 0.02 --save-dir "$folder" "$@"
    [ -n "${SAMU_DRY_RUN:-}" ] || echo "$((SECONDS - began))" >"$folder/seconds"
}

# prepare : the stamps; dialogues beside them; text pairs of the stamps and of catalogues; pieces of these; manifests
prepare() {
    local other=$recipe/../..
    done_before "$stamps/test.tsv" ||
        samu_run fairseq-samu prepare tuxpaint ${SOURCE:+--source "$SOURCE"} --output "$stamps"
    done_before "$fillets/test.tsv" || samu_run fairseq-samu prepare fillets --output "$fillets"
    done_before "$output/text/counts.json" ||
        samu_run python "$other/samu_xlsr_mbart/small/parallel_text.py" --fillets "$stamps" --packages "$packages" \
            ${TEXTS:+--source "$TEXTS"} --languages "$seen,$new" --output "$output/text"
    done_before "$output/pairs/counts.json" ||
        samu_run python "$other/multitask_st/small/text_pairs.py" --data "$stamps" --pairs "$output/text/pairs.tsv" \
            --sources en --targets "$seen,$new" --output "$output/pairs"
    done_before "$data/sizes.json" ||
        samu_run python "$recipe/manifests.py" --stamps "$stamps" --fillets "$fillets" --texts "$output/pairs" \
            --seen "$seen" --new "$new" --output "$data"
    done_before "$data/sentencepiece.model" ||
        samu_run fairseq-samu prepare sentencepiece "$data/train_text.tsv" "$data/train_base.tsv" \
            --columns src_text,tgt_text --size 500 --output "$data"
}
