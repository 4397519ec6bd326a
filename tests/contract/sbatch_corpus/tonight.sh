#!/bin/bash
#SBATCH --begin=2031-01-20T22:30:00
#SBATCH -p short --mem=1G -t 10
rsync -a results/ archive/
