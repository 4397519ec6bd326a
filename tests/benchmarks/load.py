"""Load over HTTP from wrk (Debian's package), which costs the server's machine little."""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32
SECONDS = 6


@dataclass(frozen=True)
class Load:
    """What one burst of requests got."""

    requests_per_second: float
    p99_ms: float


def post(url: str, *, token: str = "", body: object = None, connections: int = CONNECTIONS) -> Load:
    """POST the same body from so many connections for some seconds.

    Raises:
        AssertionError: wrk is missing, or some answers were errors.
    """
    assert shutil.which("wrk"), "wrk is missing: apt-get install wrk"
    script = f"""
        wrk.method = "POST"
        wrk.headers["Content-Type"] = "application/json"
        wrk.headers["Authorization"] = "Bearer {token}"
        wrk.body = {json.dumps(json.dumps(body or {}))}
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "post.lua"
        path.write_text(script)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", str(path), url]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in printed, printed
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", printed)
    assert rate, printed
    assert tail, printed
    return Load(float(rate[1]), float(tail[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[tail[2]])
