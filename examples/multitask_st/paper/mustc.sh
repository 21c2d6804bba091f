#!/usr/bin/env bash
# MuST-C, English into one language, at the paper's size (arXiv:2311.03810), from MT to scores. Not run by us.
#
#     MUSTC=... HUBERT=... examples/multitask_st/paper/mustc.sh TARGET [OUTPUT]
#
# TARGET is de, es, fr, it, nl, pt, ro or ru. MUSTC is the corpus as it is unpacked, with the folder en-TARGET; what else is set
# in the environment stands in stages.sh. Stages whose results are there are left out:
#     1. manifests of speech and text, 10k pieces
#     2. translation of text, $OUTPUT/mt
#     3. the multi-task training from there, $OUTPUT/st
#     4. the average of the last five checkpoints, its translations of tst-COMMON, their scores
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../environment.sh"
target=${1:-de}
output=$(realpath -m "${2:-$SAMU_ROOT/outputs/multitask_st_mustc_$target}")
data=$output/mustc
source "$here/stages.sh"

case $target in
de | es | fr | it | nl | pt | ro | ru) ;;
*) samu_fail "TARGET must be one of de es fr it nl pt ro ru, but is $target" ;;
esac
prepare
translate_text
translate_speech
generate
score
