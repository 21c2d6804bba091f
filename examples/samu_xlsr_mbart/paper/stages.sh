# shellcheck shell=bash
# What the recipes of this folder share; each sets $output, $data and $decoder before it sources it.
#
# From the paper: Adam, learning rate 5e-4 (10 % warm-up, 40 % hold, 50 % linear decay), 28k updates of 10 minutes of
# speech over 8 GPUs (--max-tokens 1200000 samples each), half precision, label smoothing .3, masks, adapters of a fourth
# of the encoder's width, tuned cross-attention and layer norms of the decoder, beam 5. The paper does not say: Adam's
# betas, clipping, dropout.
encoder=${ENCODER:-$SAMU_ROOT/outputs/samu_xlsr_paper/model/checkpoint_best.pt}
samu_environment quickstart

done_before() { [ -e "$1" ] && [ -z "${SAMU_DRY_RUN:-}" ]; }

# train : the checkpoints in $output/model. An interrupted training goes on from its last checkpoint.
train() {
    ! done_before "$output/model/finished" || return 0
    samu_run fairseq-train "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --task multitask_st --tasks st \
        --arch samu_xlsr_mbart --encoder-path "$encoder" --decoder-path "$decoder" --adapter-dim 256 \
        --mask-time-prob 0.3 --mask-time-length 6 --mask-channel-prob 0.5 --mask-channel-length 64 \
        --checkpoint-activations --criterion ctc_ce --label-smoothing 0.3 \
        --optimizer adam --adam-betas "(0.9, 0.98)" --clip-norm 10 \
        --lr 0.0005 --lr-scheduler tri_stage --warmup-steps 2800 --hold-steps 11200 --decay-steps 14000 \
        --max-update 28000 --max-tokens 1200000 --update-freq 1 --distributed-world-size 8 --ddp-backend legacy_ddp \
        --fp16 --num-workers 4 \
        --save-interval-updates 1000 --keep-interval-updates 2 --no-epoch-checkpoints --save-dir "$output/model"
    samu_run touch "$output/model/finished"
}

# generate : the translations of the test set in $output/test/generate-test.txt
generate() {
    ! done_before "$output/test/finished" || return 0
    samu_run fairseq-generate "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --task multitask_st --tasks st \
        --path "$output/model/checkpoint_best.pt" --gen-subset test --beam 5 --max-tokens 2400000 --fp16 \
        --num-workers 4 --results-path "$output/test"
    samu_run touch "$output/test/finished"
}

# score OPTION... : the table, and $output/scores.json
score() {
    samu_run fairseq-samu score st --generate "$output/test/generate-test.txt" --manifest "$data/test.tsv" \
        --json "$output/scores.json" "$@"
}
