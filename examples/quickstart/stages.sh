# shellcheck shell=bash
# What run.sh and baselines.sh share; both set $output and $data before they source it.

# Options of every training. 62 batches an epoch.
common=(
    "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --task samu_distill --teacher-table "$output/teacher"
    --arch samu_xlsr --criterion cosine_kd --kd-scale 20
    --optimizer adam --adam-betas "(0.9, 0.98)" --weight-decay 0.01 --clip-norm 10
    --batch-size 32 --batch-size-valid 32 --num-workers 0 --seed 1
    --no-epoch-checkpoints --best-checkpoint-metric recall_at_1 --maximize-best-checkpoint-metric
    --log-format json --log-interval 20
)
# A head on Whisper-base's frozen frames.
head=(
    --encoder-path whisper-base --num-tuned-layers 0 --frame-perceptron-dim 512 --num-pooling-heads 8
    --head-dropout 0.3 --feature-cache "$output/features"
)
device=(--cpu)
! python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null || device=()

# todo STAGE FILE : say which stage this is, and whether it is still to be done
todo() {
    if [ -e "$2" ] && [ -z "${SAMU_DRY_RUN:-}" ]; then
        samu_say "== $1: done before ($2)"
        return 1
    fi
    samu_say "== $1"
}

# embed : the teacher's table
embed() {
    samu_run fairseq-samu embed "$data/texts.tsv" --text-column text --teacher use --center --normalize --output "$output/teacher"
}

# train NAME OPTION... : one training, its log beside its checkpoints
train() {
    local folder=$output/$1
    shift
    mkdir -p "$folder"
    samu_run fairseq-train "${common[@]}" "${device[@]}" --save-dir "$folder" --log-file "$folder/train.log" "$@"
    [ -n "${SAMU_DRY_RUN:-}" ] || touch "$folder/finished"
}

# retrieve CHECKPOINT JSON OPTION... : recall on the held-out prompts
retrieve() {
    local checkpoint=$1 json=$2
    shift 2
    samu_run fairseq-samu retrieve --checkpoint "$checkpoint" --manifest "$data/test.tsv" --texts "$data/texts.tsv" \
        --teacher-table "$output/teacher" --json "$json" "$@"
}
