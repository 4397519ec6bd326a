#!/usr/bin/env bash
# Looks for known vulnerabilities in what requirements/*.lock pin, and for secrets in what git knows.
#
# The tools live in a folder that is thrown away: they are nobody's dependency. What was looked at and is no secret
# stands in .secrets.baseline, vulnerabilities that do not concern us in requirements/accepted-vulnerabilities.toml.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
.venv/bin/python -m venv "$tools"
"$tools/bin/python" -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.10,<3' 'detect-secrets>=1.5,<2'

mapfile -d '' files < <(git ls-files -z -- . ':!.secrets.baseline')
cp .secrets.baseline "$tools/baseline"
echo "Secrets in ${#files[@]} files:"
# 3: only lines that were looked at have moved.
"$tools/bin/detect-secrets-hook" --baseline "$tools/baseline" "${files[@]}" || [[ $? == 3 ]]
echo "  none but those in .secrets.baseline"

failed=0
for lock in runtime otel dev; do
    "$tools/bin/pip-audit" --requirement "requirements/$lock.lock" --disable-pip --format json \
        --progress-spinner off --output "$tools/$lock.json" 2>"$tools/$lock.log" || true
    [[ -s $tools/$lock.json ]] || { cat "$tools/$lock.log" >&2; }
    .venv/bin/python -m scripts.judge_audit "requirements/$lock.lock" "$tools/$lock.json" || failed=1
done
exit $failed
