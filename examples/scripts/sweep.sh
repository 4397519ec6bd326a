#!/bin/bash
# A parameter sweep as a job array: each task takes one supply voltage by its index.
#
#   hpc submit examples/scripts/sweep.sh --array 0-4 --time 1
set -eu

voltages=(0.7 0.8 0.9 1.0 1.1)
voltage=${voltages[$HPC_ARRAY_TASK_ID]}

# Alpha-power law (Sakurai and Newton, 1990): gate delay ~ V / (V - Vth)^alpha, relative to 1.0 V.
awk -v v="$voltage" 'BEGIN {
    threshold = 0.3; alpha = 1.3
    delay = v / (v - threshold) ^ alpha
    nominal = 1.0 / (1.0 - threshold) ^ alpha
    printf "vdd=%.1f relative_delay=%.3f\n", v, delay / nominal
}'
