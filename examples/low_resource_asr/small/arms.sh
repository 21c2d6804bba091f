#!/usr/bin/env bash
# The arms of the study, each from the same base and with as many updates: recognition of Catalan, Romanian and Belarusian.
#
#     examples/low_resource_asr/small/arms.sh [OUTPUT]
#
#     encoder      adapters of width 64 behind each of the encoder's 6 layers of 512 features (from scratch: 192, 4 layers of
#                  256), tuned on 12 minutes of each language
#     decoder      adapters of width 192 behind each of the decoder's 4 layers of 256, as many parameters, on the same speech
#     encoderwide, decoderwide    the same, eight times as wide
#     length       the length adapter, one for all three languages
#     text         decoder adapters as above, tuned on English texts and their translations alone: no speech
#     both         from there, encoder adapters on the speech; the decoder's stay as they are
#     encoder6, encoder3, decoder6, decoder3    on 6 and 3 minutes
#     pivotes, pivotru    the length adapter, tuned on Spanish or Russian speech alone, for Catalan and Belarusian
#
# A language has adapters of its own; those of three languages are trained in one run, and each row goes through those of its
# language. Writes OUTPUT/arms/BASE/ARM-SEED: checkpoint_last.pt (full.pt for text, which has no encoder), train.log, seconds.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"

# recognise NAME BEGIN SEED OPTION... : one training on speech, of the new languages if no option says another
recognise() {
    local name=$1 begin=$2 seed=$3
    shift 3
    train "$name" --tasks asr --joint-tasks --asr-ce-weight 1 --alignment-weight 0 --train-subset train_new \
        --encoder-path "$begin" --text-path "$begin" --num-length-adapter-layers 1 --length-adapter-kind conformer \
        --length-adapter-stride 4 --length-adapter-heads 4 --feature-cache "$output/features" --batch-size 32 \
        "${learning[@]}" --seed "$seed" "$@"
}

# read_texts NAME BASE SEED : decoder adapters from texts alone, and the base with them
read_texts() {
    local folder=$output/$1 begin=$output/base-$2/checkpoint_last.pt seed=$3
    train "$1" --tasks mt --without-speech --train-subset train_stamps --text-path "$begin" --max-tokens 1500 \
        "${decoder[@]}" "${learning[@]}" --seed "$seed"
    done_before "$folder/full.pt" && return
    samu_run fairseq-samu adapters export "$folder/checkpoint_last.pt" --output "$folder/adapters"
    local files=() language
    for language in ${new//,/ }; do files+=("$folder/adapters/$language.safetensors"); done
    samu_run fairseq-samu adapters add "$begin" "${files[@]}" --output "$folder/full.pt"
}

named=(--adapter-names "$new" --adapter-placement one)
decoder=("${named[@]}" --decoder-adapter-dim 192 --tuned-groups decoder_adapters)
learning=(--optimizer adam --adam-betas "(0.9, 0.98)" --lr 0.002 $(phases "${UPDATES:-200}") --label-smoothing 0.1
    --text-dropout 0.1 --disable-validation)

for seed in ${SEEDS:-1 2}; do
    for base in ${BASES:-whisper scratch}; do
        begin=$output/base-$base/checkpoint_last.pt
        width=64
        [ "$base" != scratch ] || width=192
        encoder=("${named[@]}" --adapter-dim "$width" --tuned-groups encoder_adapters)
        for arm in ${ARMS:-encoder decoder text both length encoder3 encoder6 pivotes pivotru encoderwide decoderwide decoder3 decoder6}; do
            name=arms/$base/$arm-$seed
            minutes=${arm//[^0-9]/}
            speech=("$begin" "$seed" --train-minutes "${minutes:-12}")
            case $arm in
            encoderwide) recognise "$name" "${speech[@]}" "${encoder[@]}" --adapter-dim "$((8 * width))" ;;
            decoderwide) recognise "$name" "${speech[@]}" "${decoder[@]}" --decoder-adapter-dim 1536 ;;
            encoder*) recognise "$name" "${speech[@]}" "${encoder[@]}" ;;
            decoder*) recognise "$name" "${speech[@]}" "${decoder[@]}" ;;
            length) recognise "$name" "${speech[@]}" --tuned-groups length_adapter ;;
            pivot*) recognise "$name" "${speech[@]}" --train-subset "train_${arm#pivot}" --tuned-groups length_adapter ;;
            text) read_texts "$name" "$base" "$seed" ;;
            both)
                text=arms/$base/text-$seed
                read_texts "$text" "$base" "$seed"
                recognise "$name" "$output/$text/full.pt" "${speech[@]:1}" "${decoder[@]}" "${encoder[@]}"
                ;;
            *) samu_fail "There is no arm $arm" ;;
            esac
        done
    done
done
