#!/usr/bin/env bash
# French and Italian in one model, then Tunisian (arXiv:2406.12141, portability), at the paper's size. Not run by us.
#
#     MEDIA=... PORTMEDIA=... TARIC=... ENCODER=... LABSE=... examples/samu_slu/paper/multilingual.sh [OUTPUT]
#
# What else is set in the environment stands in stages.sh; ALPHA balances the languages (.05, as SAMU-XLSR does). Labels
# are those of all three corpora, so that the tagging head goes on in Tunisian as it is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../environment.sh"
output=${1:-$SAMU_ROOT/outputs/samu_slu_multilingual}
data=$output/joined
mix=fr,it
source "$here/stages.sh"

done_before "$output/media/test.tsv" ||
    samu_run fairseq-samu prepare media --source "${MEDIA:-MEDIA}" --output "$output/media"
done_before "$output/portmedia/test.tsv" ||
    samu_run fairseq-samu prepare portmedia --source "${PORTMEDIA:-PM-Lang}" --output "$output/portmedia"
done_before "$output/taric/test.tsv" ||
    samu_run fairseq-samu prepare taric-slu --source "${TARIC:-TARIC-SLU}" --output "$output/taric" --language aeb
samu_run python "$here/join_manifests.py" --output "$data" "$output/media" "$output/portmedia" "$output/taric"
label_and_embed
dual
sequential
for way in dual sequential; do
    measure "$way" fr
    measure "$way" it
    measure "$way" aeb # a language that was never heard
done

mix=aeb
understand dual-aeb "$output/dual/$best" sentence,tags --slu-weight "$weight" --slu-checkpoint "$output/dual/$best"
understand sequential-aeb "$output/sequential/$best" tags --semantic-weight 0 \
    --slu-checkpoint "$output/sequential/$best"
measure dual-aeb
measure sequential-aeb
