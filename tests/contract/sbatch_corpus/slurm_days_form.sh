#!/bin/bash
#SBATCH --time=1-02:03:04 -p eda --mem=1G
true
