#!/usr/bin/env bash
# The base that is adapted, at about the size of SeamlessM4T-medium's parts: text, then speech of many languages. Not run
# by us.
#
#     FLEURS=... TEXTS=... ENCODER=... examples/low_resource_asr/paper/base.sh LANGUAGES [OUTPUT]
#
# LANGUAGES are those whose speech it hears, such as bn,hi,mr,gu; READ beside them those that it only reads, such as
# or,mai. TEXTS is a folder of text pairs, train.tsv, valid.tsv and test.tsv, from English into all of these languages, as
# `fairseq-samu prepare text-pairs` writes them for one. What else is set in the environment stands in stages.sh. Writes
# OUTPUT/base/checkpoint_last.pt.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../environment.sh"
languages=${1:-bn,hi,mr,gu}
read_only=${READ:-or,mai}
output=${2:-$SAMU_ROOT/outputs/low_resource_asr_base}
data=$output/fleurs
texts=${TEXTS:-$output/texts}
source "$here/stages.sh"
sizes='{"dim": 1024, "ffn_dim": 4096, "num_heads": 16, "num_layers": 12, "decoder_layers": 12}'

prepare_speech "$data" "$languages"
done_before "$data/sentencepiece.model" ||
    samu_run fairseq-samu prepare sentencepiece "$texts/train.tsv" "$data/train.tsv" --columns src_text,tgt_text \
        --size 32000 --output "$data"
train mt "$texts" --tasks mt --without-speech --sentencepiece-model "$data/sentencepiece.model" \
    --vocabulary-languages "en,$languages,$read_only" --text-config "$sizes" --lr 0.0005 --warmup-updates 8000 \
    --max-update 200000 --max-tokens 16384
train base "$data" --tasks "asr,mt" --joint-tasks --asr-ce-weight 1 --extra-manifests "mt=$texts/train.tsv" \
    --corpus-temperature 3 --encoder-path "${ENCODER:-xlsr2_300m.pt}" --text-path "$output/mt/checkpoint_last.pt" \
    "${length_adapter[@]}" --checkpoint-activations --lr 0.0001 --warmup-updates 4000 --max-update 50000 \
    --max-tokens 1200000 --update-freq $((24 / gpus))
