#!/bin/bash
#SBATCH --exclude=gpu[01-02],eda02
#SBATCH -p short --mem=1G -t 10
hostname
