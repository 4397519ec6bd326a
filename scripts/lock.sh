#!/usr/bin/env bash
# Writes requirements/*.lock anew from pyproject.toml; pass --upgrade to take newer releases.
#
# runtime.lock, otel.lock (runtime.lock and the otel extra) and dev.lock pin every file by hash. ai.lock cannot: PyTorch is published in several builds
# (CPU only, CUDA) under one version, so it pins versions, and leaves out what is only CUDA's.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-.venv/bin/python}" -m venv "$tools"
"$tools/bin/python" -m pip install --quiet --no-deps --disable-pip-version-check 'uv>=0.9,<1'

# --no-config and the unset variables keep this machine's own indexes and constraints out of the files.
compile() {
    env -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS -u UV_CONSTRAINT -u UV_DEFAULT_INDEX \
        "$tools/bin/uv" pip compile --quiet --no-config --no-header --python-version 3.11 "$@"
}

compile pyproject.toml requirements/build.in --universal --generate-hashes \
    --output-file requirements/runtime.lock "${@}"
compile pyproject.toml requirements/build.in --group dev --extra otel --universal --generate-hashes \
    --constraints requirements/runtime.lock --output-file requirements/dev.lock "${@}"
# Whole, with what it shares with runtime.lock: pip wants the hash of everything that it is asked for.
compile pyproject.toml requirements/build.in --extra otel --universal --generate-hashes \
    --constraints requirements/runtime.lock --constraints requirements/dev.lock \
    --output-file requirements/otel.lock "${@}"

# Resolved for a platform that has no CUDA: the CUDA build asks for its own parts by exact version anyway.
# That platform wants appnope, which no other has any use for.
MACOSX_DEPLOYMENT_TARGET=14.0 compile pyproject.toml --extra ai --python-platform aarch64-apple-darwin --no-annotate \
    --no-emit-package appnope \
    --constraints requirements/dev.lock --output-file "$tools/ai.lock" "${@}"
{
    echo "# The ai extra: added to runtime.lock. Written by scripts/lock.sh, which says why it has no hashes."
    grep --invert-match --fixed-strings --line-regexp \
        --file <(sed -n 's/^\([a-zA-Z0-9._-]*==[^ ;]*\).*/\1/p' requirements/runtime.lock) "$tools/ai.lock"
} >requirements/ai.lock
echo "Wrote requirements/runtime.lock, otel.lock, dev.lock and ai.lock."
