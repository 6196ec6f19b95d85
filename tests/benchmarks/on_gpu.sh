#!/usr/bin/env bash
# Run everything that needs an NVIDIA GPU, in at most ten minutes, and write the results to a folder.
# Its summary.txt lists what was measured, and the reason for everything that was not.
#
#     tests/benchmarks/on_gpu.sh FOLDER          # needs jax[cuda12]; PyTorch with CUDA is optional
#     tests/benchmarks/on_gpu.sh --dry FOLDER    # try this script on a machine without a GPU
set -uo pipefail
dry=
if [ "${1:-}" = --dry ]; then dry=yes; shift; fi
mkdir -p "${1:?usage: on_gpu.sh [--dry] FOLDER}"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
: > "$out/summary.txt"

say() { echo "$*" | tee -a "$out/summary.txt"; }

# step NAME SECONDS COMMAND...: run a command for at most SECONDS and report the outcome.
step() {
    local name=$1 seconds=$2 code=0
    shift 2
    timeout "$seconds" "$@" > "$out/$name.log" 2>&1 || code=$?
    if [ "$code" = 124 ]; then
        say "$name: stopped after $seconds seconds; see $name.log for its results so far"
    elif [ "$code" != 0 ]; then
        say "$name: not measured: $(tail -n 1 "$out/$name.log")"
    elif [ "$backend" = gpu ]; then
        say "$name: measured"
    else
        say "$name: not measured, but the command works on the backend $backend"
    fi
}

backend=$(python -c 'import jax; print(jax.default_backend())' 2> "$out/jax.log") || backend=none
if [ "$backend" = gpu ]; then
    nvidia-smi > "$out/nvidia-smi.txt" 2>&1
else
    say "JAX finds no NVIDIA GPU on this machine; its backend is $backend"
    if [ -z "$dry" ]; then exit 1; fi
fi
torch=torch
if ! python -c 'import torch; assert torch.cuda.is_available()' 2> /dev/null; then
    torch=
    say "PyTorch: not measured: no PyTorch with CUDA is installed"
fi

programs=tests/benchmarks
export JAX_DISABLE_MOST_OPTIMIZATIONS=0 XLA_FLAGS=  # the users' defaults, also in the tests
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
    say "deepbench, train_lm: not measured and not tried"
fi
