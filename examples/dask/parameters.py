#!/usr/bin/env python3
"""Print the parameters of zeta.py on two workers, for `hpc submit -t dask-cluster -f`.

The argument is the number of terms: `./parameters.py 5000000 > zeta.json`.
"""

import json
import sys
from pathlib import Path

parameters = {
    "name": "zeta",
    "script": Path(__file__).with_name("zeta.py").read_text(encoding="utf-8"),
    "arguments": sys.argv[1:] or ["2000000"],
    "resources": {"cpus": 2},
}
json.dump(parameters, sys.stdout, indent=2)
