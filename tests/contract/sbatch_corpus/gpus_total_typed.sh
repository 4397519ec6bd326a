#!/bin/bash
#SBATCH -G h100:2
#SBATCH -p gpu -t 60 --mem=8G
python infer.py
