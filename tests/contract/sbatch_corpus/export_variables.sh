#!/bin/bash
#SBATCH --export=ALL,DESIGN=top,CORNER=ss_0p72v
#SBATCH -p short --mem=1G -t 5
make $DESIGN
