#!/bin/bash
# What a job sees of its node.
#
#   hpc submit examples/scripts/hello.sh --time 1
set -eu

echo "Hello from $(hostname)"
echo "job ${HPC_JOB_ID:-none}, ${OMP_NUM_THREADS:-?} thread(s), GPUs ${CUDA_VISIBLE_DEVICES:-none}"
