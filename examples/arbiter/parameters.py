#!/usr/bin/env python3
"""Print the parameters of a regression of this folder's design, for `hpc submit -t rtl-regression -f`.

Words on the command line are defines: `./parameters.py BUG_UNFAIR > regression.json`.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = ("rtl/arbiter.sv", "tb/arbiter_tb.sv")

parameters = {
    "name": "arbiter-regression",
    "sources": {path: (HERE / path).read_text(encoding="utf-8") for path in SOURCES},
    "top": "arbiter_tb",
    "tests": ["busy", "sparse"],
    "seeds": 5,
    "defines": sys.argv[1:],
}
json.dump(parameters, sys.stdout, indent=2)
