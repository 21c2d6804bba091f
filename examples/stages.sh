# shellcheck shell=bash
# Stages that are left out where their result exists: sourced by the recipes, after environment.sh.
#
# Sets `device` and `precision`, options of the host: --cpu where there is no GPU, and what PRECISION says (--bf16 where the
# processor computes in it, AVX512_BF16 or AMX, else nothing).

device=(--cpu)
! python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null || device=()
if [ -z "${PRECISION+set}" ]; then
    PRECISION=
    ! grep -qsE 'avx512_bf16|amx_bf16' /proc/cpuinfo || PRECISION=--bf16
fi
read -ra precision <<<"$PRECISION"

# done_before FILE : whether a stage's result is there
done_before() { [ -e "$1" ] && [ -z "${SAMU_DRY_RUN:-}" ]; }

# into FILE COMMAND... : run a command, its standard output in a file that is there only when it is whole
into() {
    local file=$1
    shift
    if [ -n "${SAMU_DRY_RUN:-}" ]; then
        samu_run "$@"
    else
        samu_say "+ $* > $file"
        "$@" >"$file.$$.part" # two that measure at once do not meet
        mv "$file.$$.part" "$file"
    fi
}

# phases UPDATES : the three phases of arXiv:2306.00789, 10 % warm-up, 40 % hold, 50 % decay
phases() {
    echo "--max-update $1 --warmup-steps $(($1 / 10)) --hold-steps $(($1 * 4 / 10)) --decay-steps $(($1 / 2))"
}
