#!/usr/bin/env bash
# All that needs an NVIDIA GPU, in at most ten minutes, into one folder; its summary.txt says what
# was measured, and of the rest why it was not.
#
#     tests/benchmarks/on_gpu.sh FOLDER          # with jax[cuda12]; PyTorch with CUDA as a peer
#     tests/benchmarks/on_gpu.sh --dry FOLDER    # tries this script where there is no GPU
set -uo pipefail
dry=
if [ "${1:-}" = --dry ]; then dry=yes; shift; fi
mkdir -p "${1:?usage: on_gpu.sh [--dry] FOLDER}"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
: > "$out/summary.txt"

say() { echo "$*" | tee -a "$out/summary.txt"; }

# step NAME SECONDS COMMAND...: run it for so long at most, and say how it went.
step() {
    local name=$1 seconds=$2 code=0
    shift 2
    timeout "$seconds" "$@" > "$out/$name.log" 2>&1 || code=$?
    if [ "$code" = 124 ]; then
        say "$name: stopped after $seconds seconds; $name.log has what it came to"
    elif [ "$code" != 0 ]; then
        say "$name: not measured: $(tail -n 1 "$out/$name.log")"
    elif [ "$backend" = gpu ]; then
        say "$name: measured"
    else
        say "$name: not measured; the command works on a $backend"
    fi
}

backend=$(python -c 'import jax; print(jax.default_backend())' 2> "$out/jax.log") || backend=none
if [ "$backend" = gpu ]; then
    nvidia-smi > "$out/nvidia-smi.txt" 2>&1
else
    say "JAX sees no NVIDIA GPU here, its backend is: $backend"
    if [ -z "$dry" ]; then exit 1; fi
fi
torch=torch
if ! python -c 'import torch; assert torch.cuda.is_available()' 2> /dev/null; then
    torch=
    say "PyTorch: not measured: there is none with CUDA here"
fi

programs=tests/benchmarks
export JAX_DISABLE_MOST_OPTIMIZATIONS=0 XLA_FLAGS=  # as users get them, in the tests, too
step doctor 90 lstm-jax doctor
if [ "$backend" = gpu ]; then
    named=(--machine gpu --out "$out")
    step tests 75 python -m pytest -q -rs -p no:xdist tests/engines/test_choose.py -k real_kernel
    step cudnn 60 python $programs/cudnn_check.py
    peers=(cudnn jax.experimental.rnn $torch)
    step deepbench 200 python $programs/layer.py "${named[@]}" --cases deepbench --minutes 2.8 \
        --only "${peers[@]}"
    for kind in json md; do mv "$out/layer.gpu.$kind" "$out/deepbench.gpu.$kind"; done
    step train_lm 85 python $programs/train_lm.py "${named[@]}" --only flax $torch
    step layer 75 python $programs/layer.py "${named[@]}" --cases grid --minutes 1 \
        --only scan flax "${peers[@]}"
else
    step tests 90 python -m pytest -q -rs -p no:xdist tests/engines/test_choose.py -k real_kernel
    step cudnn 60 python $programs/cudnn_check.py --small --engine fused
    step layer 120 python $programs/layer.py --quick --only scan $torch
    say "deepbench, train_lm: not measured, and not tried"
fi
