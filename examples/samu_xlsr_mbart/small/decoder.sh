#!/usr/bin/env bash
# The small decoder of this recipe: mBART's architecture, pre-trained by translation into English and denoising.
#
#     examples/samu_xlsr_mbart/small/decoder.sh [OUTPUT]
#
# Writes OUTPUT/decoder: model.pt, dict.txt, sentence.bpe.model, as mBART is published. The host's own translation task
# trains it; settings are described in stages.sh. Measured: RESULTS.md.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
updates=${DECODER_UPDATES:-900}
prepare

done_before "$output/text/counts.json" ||
    samu_run python "$recipe/parallel_text.py" --fillets "$data" ${GAMES:+--source "$GAMES"} --output "$output/text"
done_before "$output/rows/valid.tgt" ||
    samu_run python "$recipe/pretraining_rows.py" --text "$output/text" --valid "$data/valid.tsv" \
        --repeat fillets=4,nl=2 --denoise en --output "$output/rows"
if ! done_before "$output/rows/binary/valid.src-tgt.tgt.idx"; then
    samu_run rm -rf "$output/rows/binary" # the host does not write over what an interrupted run has left
    samu_run fairseq-preprocess --source-lang src --target-lang tgt --trainpref "$output/rows/train" \
        --validpref "$output/rows/valid" --srcdict "$output/rows/dict.txt" --joined-dictionary --padding-factor 1 \
        --destdir "$output/rows/binary"
fi
if ! done_before "$output/decoder/model.pt"; then
    began=$SECONDS
    samu_run fairseq-train "$output/rows/binary" --user-dir "$recipe/mbart_small" --arch mbart_small \
        --task translation --source-lang src --target-lang tgt --dropout 0 \
        --criterion label_smoothed_cross_entropy --label-smoothing 0.1 \
        --optimizer adam --adam-betas "(0.9, 0.98)" --weight-decay 0.01 --clip-norm 1 \
        --lr 0.001 --lr-scheduler polynomial_decay --warmup-updates $((updates / 10)) --total-num-update "$updates" \
        --max-update "$updates" --max-tokens 1800 --num-workers 0 --seed 1 "${device[@]}" "${precision[@]}" \
        --save-interval-updates 240 --keep-interval-updates 1 --no-epoch-checkpoints \
        --log-format json --log-interval 20 --log-file "$output/rows/train.log" --save-dir "$output/rows/checkpoints"
    samu_run mkdir -p "$output/decoder"
    samu_run cp "$output/rows/dict.txt" "$output/decoder/dict.txt"
    samu_run cp "$output/rows/sentencepiece.model" "$output/decoder/sentence.bpe.model"
    samu_run cp "$output/rows/checkpoints/checkpoint_best.pt" "$output/decoder/model.pt"
    [ -n "${SAMU_DRY_RUN:-}" ] || echo "$((SECONDS - began))" >"$output/decoder/seconds"
fi
