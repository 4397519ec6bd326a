#!/bin/bash
#SBATCH	--partition=short	-t	5   
#SBATCH   --mem=1G	# tabs
true
