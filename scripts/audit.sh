#!/usr/bin/env bash
# Looks for known vulnerabilities in what requirements/*.lock pin.
#
# The tool lives in a folder that is thrown away: it is nobody's dependency. Vulnerabilities that do not concern us
# stand in requirements/accepted-vulnerabilities.toml.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
.venv/bin/python -m venv "$tools"
"$tools/bin/python" -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.10,<3'

failed=0
for lock in runtime otel dev; do
    "$tools/bin/pip-audit" --requirement "requirements/$lock.lock" --disable-pip --format json \
        --progress-spinner off --output "$tools/$lock.json" 2>"$tools/$lock.log" || true
    [[ -s $tools/$lock.json ]] || { cat "$tools/$lock.log" >&2; }
    .venv/bin/python -m scripts.judge_audit "requirements/$lock.lock" "$tools/$lock.json" || failed=1
done
exit $failed
