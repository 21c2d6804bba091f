#!/usr/bin/env bash
# What every arm begins from: text parts that translate text, and an acoustic encoder that they hear.
#
#     examples/multitask_st/small/pretraining.sh [OUTPUT] [VARIANT...]
#
# VARIANT is l2g (with the local-to-global extractor) or plain (without); both when left out. The acoustic encoder is
# Whisper-base, tuned by CTC over characters of the same recordings: ctc_encoder.sh of examples/samu_xlsr_mbart/small makes it in
# OUTPUT/hearing, or CTC_ENCODER names its checkpoint. For each variant, OUTPUT/mt-VARIANT translates Czech and Dutch text
# into five languages; OUTPUT/warm-VARIANT learns CTC over pieces and alignment of speech beside that, with the last layer
# of the encoder tuned: no speech is translated and nothing is compressed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
prepare
# one thread a process trains as fast as two here, and two variants can be trained side by side
variants=("${@:2}")
[ "${#variants[@]}" -gt 0 ] || variants=(l2g plain)
sizes='{"dim": 256, "ffn_dim": 1024, "num_heads": 4, "num_layers": 4, "decoder_layers": 4}'
mt_updates=${MT_UPDATES:-600}
encoder=${CTC_ENCODER:-$output/hearing/ctc/checkpoint_last.pt}
done_before "$encoder" || DATA=$data samu_run bash "$recipe/../../samu_xlsr_mbart/small/ctc_encoder.sh" "$output/hearing"

for variant in "${variants[@]}"; do
    kernel=5
    [ "$variant" = l2g ] || kernel=0
    train "mt-$variant" "$texts" --tasks mt --without-speech --vocabulary-languages cs,nl,en,fr,it,es,de \
        --extra-manifests mt=games/train.tsv --corpus-temperature 3 \
        --text-config "$sizes" --l2g-kernel "$kernel" --optimizer adam --adam-betas "(0.9, 0.98)" --max-tokens 8000 \
        --text-dropout 0 --lr 0.0015 --lr-scheduler tri_stage --final-lr-scale 0.02 $(phases "$mt_updates") \
        --save-interval-updates 150 --keep-interval-updates 1 --validate-interval-updates 150 --seed 1
    train "warm-$variant" "$data" --tasks "asr,mt" --joint-tasks --weight-mode fixed --measure-interval 0 \
        --compressor off --l2g-kernel "$kernel" --encoder-path "$encoder" --num-tuned-layers 1 \
        --text-path "$output/mt-$variant/checkpoint_best.pt" --audio-root "$data" --max-audio-seconds 10 \
        --feature-cache "$output/features" --batch-size 32 --optimizer grouped --lr 0.001 \
        --lr-scales "projection=4,decoder_embedding=2,encoder=0.1" --lr-scheduler tri_stage --final-lr-scale 0.02 \
        $(phases "${WARM_UPDATES:-200}") --disable-validation --seed 1
done
