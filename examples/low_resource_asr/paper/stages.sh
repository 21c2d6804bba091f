# shellcheck shell=bash
# What base.sh and adapt.sh share; both set $data and $output before they source it.
#
# From the paper (arXiv:2410.13445): what is tuned, one adapter behind each layer, widths 256 and 2048, SeamlessM4T's length
# adapter, 5 hours of speech. Everything else is ours: learning rates, updates, batches. SeamlessM4T's own weights cannot
# be read here; the base is our model of the same parts and about its width (1024 features, 12 layers in the decoder).
#
#     FLEURS   folder of FLEURS as it is published, with or_in, bn_in, en_us ... inside
#     PAIRS    folder with the English texts of LANGUAGE's pairs, train.en, and their translations, train.LANGUAGE
#     ENCODER  XLS-R 300M: xlsr2_300m.pt
#     GPUS     how many there are: 8
#     WIDTH    of the adapters: 256 (paper: also 2048)
gpus=${GPUS:-8}
samu_environment quickstart

done_before() { [ -e "$1" ] && [ -z "${SAMU_DRY_RUN:-}" ]; }

length_adapter=(--num-length-adapter-layers 1 --length-adapter-kind conformer --length-adapter-stride 8
    --length-adapter-heads 16 --length-adapter-ffn-dim 4096)

# train NAME MANIFESTS OPTION... : checkpoints in $output/NAME. An interrupted training goes on from its last checkpoint.
train() {
    local folder=$output/$1 manifests=$2
    shift 2
    ! done_before "$folder/finished" || return 0
    samu_run fairseq-train "$manifests" --user-dir "$SAMU_ROOT/fairseq_samu" --task multitask_st --arch multitask_st \
        --criterion consistency_multitask --weight-mode fixed --measure-interval 0 --compressor off --l2g-kernel 0 \
        --label-smoothing 0.1 --optimizer adam --adam-betas "(0.9, 0.98)" --clip-norm 1 --lr-scheduler inverse_sqrt \
        --distributed-world-size "$gpus" --ddp-backend legacy_ddp --fp16 --num-workers 4 \
        --no-epoch-checkpoints --save-interval-updates 1000 \
        --keep-interval-updates 2 --save-dir "$folder" "$@"
    samu_run touch "$folder/finished"
}

# prepare_speech FOLDER LANGUAGES : manifests of FLEURS with English translations
prepare_speech() {
    done_before "$1/train.tsv" ||
        samu_run fairseq-samu prepare fleurs --source "${FLEURS:-FLEURS}" --languages "$2" --targets en --copy --output "$1"
}
