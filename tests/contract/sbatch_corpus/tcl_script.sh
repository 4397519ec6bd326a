#!/usr/bin/tclsh
#SBATCH -J floorplan -p eda -t 2-0 --mem=2T -C eda
puts "hello"
