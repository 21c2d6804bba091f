#!/usr/bin/env bash
# The arms of the study, each from the same warmed-up model and with as many updates.
#
#     examples/multitask_st/small/arms.sh [OUTPUT]
#
#     base         ST, ASR and MT; compressor with look-back into the segment; L2G; noise; weights by task norms
#     fixed        constant weights while a task lasts   consistency  weights by measured cosines
#     st           ST alone, CTC and alignment inside    alone        cross-entropy of ST alone, nothing compressed
#     off          nothing compressed                    shrink       first frames without look-back
#     avg          means of segments without look-back   global       look-back to all frames
#     plain        no L2G, in its MT pre-training neither
#     quiet        no noise on MT's source
#     apart        as base, but ASR reads rows of its own instead of those of ST
#     constant     as apart, with constant weights to the end: no task is dropped
#
# In all others ASR learns from ST's rows, which saves a pass through the acoustic encoder that takes most of the time.
# Writes OUTPUT/arms/ARM-SEED: checkpoint_last.pt, train.log, seconds, consistency.jsonl.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"
updates=${UPDATES:-120}
step=$((updates / 6)) # the paper changes weights six times, too

# arm NAME SEED OPTION... : one training; options come after those of base
arm() {
    local name=$1 seed=$2 variant=l2g kernel=5 noise=0.1
    shift 2
    [ "$name" != plain ] || { variant=plain && kernel=0; }
    case $name in quiet | st | alone) noise=0 ;; esac # the last two read no texts
    local begin=$output/warm-$variant/checkpoint_last.pt validation=(--disable-validation)
    case $name in # those whose losses are compared over time; the first 14 batches are all rows of ST
    base | fixed | apart | constant)
        validation=(--validate-interval-updates "$step" --batch-size-valid 64 --max-valid-steps 13)
        ;;
    esac
    train "arms/$name-$seed" "$data" --joint-tasks --encoder-path "$begin" --text-path "$begin" --num-tuned-layers 1 \
        --l2g-kernel "$kernel" --source-noise-prob "$noise" --audio-root "$data" --max-audio-seconds 10 \
        --feature-cache "$output/features" \
        --compressor first --compressor-lookback segment --compressor-heads 4 --compressor-ffn-dim 1024 \
        --auxiliary-share 0.3 --weight-mode task_norm --measure-interval 10 --weight-interval "$step" \
        --alignment-step "$step" --asr-last-update $((4 * step)) --mt-last-update $((6 * step)) \
        --batch-size 32 --optimizer grouped --lr 0.001 --lr-scales encoder=0.1 --lr-scheduler tri_stage \
        --final-lr-scale 0.02 $(phases "$updates") "${validation[@]}" --seed "$seed" "$@"
}

for seed in ${SEEDS:-1 2}; do
    for name in ${ARMS:-base fixed st off shrink global plain avg consistency quiet alone apart constant}; do
        options=(--tasks "st,asr,mt" --shared-asr)
        case $name in
        fixed | consistency) options+=(--weight-mode "$name") ;;
        st) options=(--tasks st) ;;
        alone) options=(--tasks st --auxiliary-share 0 --compressor off) ;;
        off) options+=(--compressor off) ;;
        shrink) options+=(--compressor-lookback none) ;;
        avg) options+=(--compressor avg --compressor-lookback none) ;;
        global) options+=(--compressor-lookback global) ;;
        apart) options=(--tasks "st,asr,mt") ;;
        constant) options=(--tasks "st,asr,mt" --weight-mode fixed --asr-last-update 0 --mt-last-update 0) ;;
        esac
        arm "$name" "$seed" "${options[@]}"
    done
done
