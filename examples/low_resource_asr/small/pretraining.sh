#!/usr/bin/env bash
# What every arm begins from: a text model of all languages, and speech of some of them that it recognises.
#
#     examples/low_resource_asr/small/pretraining.sh [OUTPUT] [BASE...]
#
# BASE is whisper or scratch; both when left out. OUTPUT/mt translates English text into Catalan, Romanian and Belarusian
# and into French, Spanish and Russian. From there OUTPUT/base-BASE recognises French, Spanish, Russian, Czech and Dutch
# speech by its decoder and by CTC, and translates text beside; its length adapter leaves a fourth of the frames. It hears
# no Catalan, Romanian or Belarusian here, but Whisper has heard all of these languages before: base-whisper has the
# encoder of Whisper-base, tuned by CTC over characters of Czech and Dutch (ctc_encoder.sh of
# examples/samu_xlsr_mbart/small makes it, or CTC_ENCODER names its checkpoint), its last two layers tuned with the rest.
# base-scratch has an encoder that begins at random.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
prepare
bases=("${@:2}")
[ "${#bases[@]}" -gt 0 ] || read -ra bases <<<"${BASES:-whisper scratch}"
sizes='{"dim": 256, "ffn_dim": 1024, "num_heads": 4, "num_layers": 3, "decoder_layers": 4}'
small='{"family": "whisper", "dim": 256, "ffn_dim": 768, "num_layers": 4, "num_heads": 4}'
encoder=${CTC_ENCODER:-$output/hearing/ctc/checkpoint_last.pt}
updates=${BASE_UPDATES:-300}

train mt --tasks mt --without-speech --vocabulary-languages "en,$seen,cs,nl,$new" --train-subset train_text \
    --valid-subset valid_text --text-config "$sizes" --text-dropout 0 --label-smoothing 0.1 --optimizer adam \
    --adam-betas "(0.9, 0.98)" --max-tokens 6000 --lr 0.002 $(phases "${TEXT_UPDATES:-300}") --disable-validation --seed 1

for base in "${bases[@]}"; do
    hearing=(--encoder-from-scratch --encoder-config "$small")
    scales=projection=4,decoder_embedding=2
    if [ "$base" = whisper ]; then
        done_before "$encoder" || DATA=$fillets samu_run bash "$recipe/../../samu_xlsr_mbart/small/ctc_encoder.sh" "$output/hearing"
        hearing=(--encoder-path "$encoder" --num-tuned-layers 2 --feature-cache "$output/features")
        scales+=,encoder=0.2
    fi
    train "base-$base" --tasks "asr,mt" --joint-tasks --task-ratios mt=3 --asr-ce-weight 1 --train-subset train_base \
        --extra-manifests mt=train_text.tsv --corpus-temperature 3 --text-path "$output/mt/checkpoint_last.pt" \
        "${hearing[@]}" --num-length-adapter-layers 1 --length-adapter-kind conformer --length-adapter-stride 4 \
        --length-adapter-heads 4 --label-smoothing 0.1 --text-dropout 0.1 --train-minutes 40 --max-audio-seconds 8 \
        --batch-size 32 \
        --optimizer grouped --lr 0.001 --lr-scales "$scales" $(phases "$updates") --disable-validation --seed 1
done
