#!/usr/bin/env bash
# The paper's claims in miniature: speech translation from Czech and Dutch game dialogue into English, trained on one of
# the languages and tested on both, with three encoders, and with adapters against full fine-tuning of the encoder.
#
#     examples/samu_xlsr_mbart/small/run.sh [OUTPUT]
#
# Every stage is left out where its result exists; settings are described in stages.sh. Three kinds of training:
#     frozen     cross-attention and norms of the decoder learn to read the frames of a frozen encoder
#     adapters   from there on: adapters in the encoder, cross-attention, norms (paper: the proposed way)
#     full       from there on: the whole encoder instead of adapters (table VI)
# The last stage prints the tables of RESULTS.md.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
seeds=${SEEDS:-1 2}
languages=${LANGUAGES:-nl cs}
encoders=${ENCODERS:-plain samu ctc}
first=${FROZEN_UPDATES:-300}
second=${TUNED_UPDATES:-60}
for part in decoder samu_encoder ctc_encoder; do
    samu_run bash "$recipe/$part.sh" "$output"
done

encoder_of() { [ "$1" = plain ] && echo whisper-base || echo "$output/$1/checkpoint_last.pt"; }

# translate NAME DECODER ENCODER LANGUAGE SEED OPTION... : train on one language, decode the whole test set
translate() {
    local name=$1 decoder=$2 encoder=$3 language=$4 seed=$5
    shift 5
    train "$name" --task multitask_st --tasks st --train-subset "train_$language" --valid-subset "valid_$language" \
        --max-audio-seconds 10 --feature-cache "$output/features" --arch samu_xlsr_mbart \
        --encoder-path "$(encoder_of "$encoder")" --decoder-path "$decoder" --criterion ctc_ce --label-smoothing 0.1 \
        --weight-decay 0 --clip-norm 5 --disable-validation --seed "$seed" "$@"
    decode "$name" test.out --beam 5
    decode "$name" ref.out --score-reference
}

# decode NAME FILE OPTION... : the test set by a trained model, into a file of its folder
decode() {
    local folder=$output/$1 file=$output/$1/$2
    shift 2
    done_before "$file" ||
        into "$file" fairseq-generate "$data" --user-dir "$SAMU_ROOT/fairseq_samu" --task multitask_st \
            --path "$folder/checkpoint_last.pt" --gen-subset test --audio-root "$data" \
            --feature-cache "$output/features" --batch-size 32 --num-workers 0 "${device[@]}" "${precision[@]}" "$@"
}

# translate_text NAME OPTION... : the test set's transcripts, or what was recognised, by the text model
translate_text() {
    local folder=$output/$1
    shift
    done_before "$folder/test.out" && return
    samu_run mkdir -p "$folder"
    samu_run python "$recipe/text_rows.py" --decoder "$output/decoder" --manifest "$data/test.tsv" \
        --output "$folder/test" "$@"
    samu_run rm -rf "$folder/binary" # the host does not write over what an interrupted run has left
    samu_run fairseq-preprocess --source-lang src --target-lang tgt --testpref "$folder/test" \
        --srcdict "$output/decoder/dict.txt" --joined-dictionary --padding-factor 1 --destdir "$folder/binary"
    # with batches of a multiple of 8, its default, the host leaves out the rows that are left over
    into "$folder/test.raw" fairseq-generate "$folder/binary" --user-dir "$recipe/mbart_small" --task translation \
        --source-lang src --target-lang tgt --path "$output/decoder/model.pt" --beam 5 --max-tokens 2000 \
        --max-len-a 1.5 --max-len-b 10 --post-process sentencepiece --required-batch-size-multiple 1 "${device[@]}"
    into "$folder/test.out" sed -E 's/^(D-[0-9]+\t[^\t]*\t)\[en_XX\] ?/\1/' "$folder/test.raw"
}

translate_text transcripts
decode ctc test.out --tasks asr
translate_text cascade --recognised "$output/ctc/test.out"

for seed in $seeds; do
    for language in $languages; do
        for encoder in $encoders; do
            run=st/$encoder-$language-$seed
            translate "$run-frozen" "$output/decoder" "$encoder" "$language" "$seed" \
                --tuned-groups cross_attention,layer_norms --lr 0.001 $(phases "$first")
            done_before "$output/$run-decoder/model.pt" ||
                samu_run python "$recipe/tuned_decoder.py" --decoder "$output/decoder" \
                    --checkpoint "$output/$run-frozen/checkpoint_last.pt" --output "$output/$run-decoder"
            translate "$run-adapters" "$output/$run-decoder" "$encoder" "$language" "$seed" --adapter-dim 128 \
                --tuned-groups encoder_adapters,cross_attention,layer_norms --lr 0.0005 $(phases "$second")
            [ "$encoder" != ctc ] || continue
            translate "$run-full" "$output/$run-decoder" "$encoder" "$language" "$seed" \
                --tuned-groups encoder,cross_attention,layer_norms --lr 0.0002 $(phases "$second")
        done
    done
done
samu_run python "$recipe/study_tables.py" --output "$output" --manifest "$data/test.tsv"
