#!/usr/bin/env bash
# Makes this checkout ready: `setup.sh demo` to run the portal, `setup.sh demo-slurm` to run it with a real Slurm
# cluster, `setup.sh test` to develop and test it too.
#
# Installs Debian packages that are missing, fills .venv from requirements/*.lock, and for the latter two builds the
# Debian root that the Slurm cluster runs in (scripts/slurm_cluster). Safe to repeat: when nothing changed since the
# last time it only looks, which takes a tenth of a second.
set -euo pipefail
cd "$(dirname "$0")/.."

# Debian package = how to see that its program is there already: a command's name, or a file pattern.
demo_packages=(
    bubblewrap=bwrap
    iverilog=iverilog
)
slurm_packages=(
    debootstrap=/usr/sbin/debootstrap # the cluster is built from a newer Debian
)
test_packages=(
    # The tools of the chip-design templates: jobs need them on the nodes, the portal itself does not.
    verilator=verilator
    zlib1g-dev=/usr/include/zlib.h # for the waveforms of what Verilator builds
    yosys=yosys
    tcl=tclsh # the scripts of commercial tools' templates run in it, with every command of the tool as a stub
    opensta=sta
    ngspice=ngspice
    z3=z3
    qflow=qflow # place and route; brings graywolf, qrouter, magic and netgen-lvs
    ghdl-mcode=ghdl
    nextpnr-ice40=nextpnr-ice40
    fpga-icestorm=icepack
    "fpga-icestorm-chipdb=/usr/share/fpga-icestorm/chipdb/*.txt" # icetime reads it
    "qflow-tech-osu018=/usr/share/qflow/tech/osu018/*.lib"
    "qflow-tech-osu035=/usr/share/qflow/tech/osu035/*.lib"
    "qflow-tech-osu050=/usr/share/qflow/tech/osu050/*.lib"
    "postgresql=/usr/lib/postgresql/*/bin/initdb"
    chromium=chromium
    openssl=openssl
    "libatomic1=/usr/lib/*/libatomic.so.1" # for the driver that playwright ships
    wrk=wrk
    iproute2=ip # networks of namespaces, whose cables the chaos suite cuts
    "libfaketime=/usr/lib/*/faketime/libfaketimeMT.so.1" # clocks of single processes, which it sets
    fonts-noto-core=/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf
)

say() { printf '==> %s\n' "$*" >&2; }

fail() {
    printf '\n*** %s\n' "$*" >&2
    exit 1
}

three_tries() {
    local try
    for try in 1 2 3; do
        if "$@"; then return 0; fi
        [[ $try == 3 ]] || { say "Try $try failed; trying again in $((try * 5)) s"; sleep $((try * 5)); }
    done
    return 1
}

as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "Root is needed for: $*. Run that as root, or install sudo, and try again."
    fi
}

is_there() {
    case $1 in
        */*) compgen -G "$1" >/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null >&2
}

update_and_install() {
    # One unreachable third-party source must not stop us: what counts is whether the install works.
    apt_get update || say "apt-get update had errors; going on with the package lists at hand"
    apt_get install --no-install-recommends "$@"
}

install_debian() {
    command -v apt-get >/dev/null || fail "Please install $*: this machine has no apt-get to do it."
    say "Installing Debian packages: $*"
    three_tries update_and_install "$@" ||
        fail "Debian packages could not be installed: $*. What apt-get said is above."
}

runs_recent_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        if runs_recent_python "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed. Install it (Debian 12: apt-get install python3) or set PYTHON=/path/to/python3."
}

# A .venv that was copied or moved has scripts that start the old one.
is_at_home() { grep -qsF "$(pwd -P)/.venv" .venv/bin/pip && runs_recent_python .venv/bin/python; }

need_debian() {
    local entry python missing=()
    for entry in "$@"; do
        is_there "${entry#*=}" || missing+=("${entry%%=*}")
    done
    if ! is_at_home; then
        python=$(find_python)
        # Debian ships this part of Python apart.
        "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    fi
    [[ ${#missing[@]} == 0 ]] || install_debian "${missing[@]}"
}

make_venv() {
    local python
    python=$(find_python)
    # The program itself, not a link to it: on the nodes of the Slurm cluster the link leads to another Python.
    python=$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
    say "Creating .venv with $("$python" --version)"
    "$python" -m venv --clear .venv || fail "$python could not create .venv in $PWD."
}

pip_install() {
    env -u PIP_REQUIRE_VIRTUALENV -u PIP_TARGET -u PIP_PREFIX PIP_USER=0 PIP_ROOT_USER_ACTION=ignore \
        .venv/bin/python -m pip install -qq --no-input --disable-pip-version-check --retries 5 "$@" >&2
}

fill_venv() {
    local lock=$1
    say "Installing Python packages from $lock (a minute or two the first time)"
    three_tries pip_install --require-hashes -r "$lock" ||
        fail "The packages of $lock could not be installed. What pip said is above."
    three_tries pip_install -r requirements/ai.lock ||
        fail "PyTorch could not be installed from requirements/ai.lock. What pip said is above."
    pip_install --no-deps --no-build-isolation --editable . ||
        fail "This project itself could not be installed. What pip said is above."
}

# .venv holds what the files ask for when its stamp is equal to this.
fingerprint() { cat "requirements/$1.lock" requirements/ai.lock pyproject.toml scripts/setup.sh | sha256sum; }

is_stamped() { [[ "$(fingerprint "$1")" == "$(cat ".venv/$1.stamp" 2>/dev/null)" ]]; }

need_venv() {
    is_at_home || make_venv
    if ! is_stamped "$1"; then
        fill_venv "requirements/$1.lock"
        fingerprint "$1" >".venv/$1.stamp"
    fi
}

# What tests need of npm, pinned by hash, with the Node that pip brings: packages of a folder, and its script beside them.
need_npm() {
    local source=$1 target=.venv/${1##*/}
    if ! cmp -s "$source/package-lock.json" "$target/package-lock.json"; then
        mkdir -p "$target"
        cp "$source/package.json" "$source/package-lock.json" "$target/"
        three_tries npm_ci "$target" || {
            rm -f "$target/package-lock.json"
            fail "The packages of $source could not be installed. What npm said is above."
        }
    fi
    cp "$source"/*.js "$target/"
}

npm_ci() { PATH="$PWD/.venv/bin:$PATH" .venv/bin/npm ci --prefix "$1" --omit=dev --ignore-scripts --no-audit --no-fund >&2; }

need_venv_to_run() { is_stamped dev && is_at_home || need_venv runtime; } # dev.lock holds all of runtime.lock

need_slurm_root() {
    three_tries .venv/bin/python -m scripts.slurm_cluster build-root >&2 ||
        fail "The Debian root for the Slurm cluster could not be built. What went wrong is above."
}

main() {
    case ${1:-} in
        demo)
            need_debian "${demo_packages[@]}"
            need_venv_to_run
            ;;
        demo-slurm)
            need_debian "${demo_packages[@]}" "${slurm_packages[@]}"
            need_venv_to_run
            need_slurm_root
            ;;
        test)
            need_debian "${demo_packages[@]}" "${slurm_packages[@]}" "${test_packages[@]}"
            need_venv dev
            need_npm tests/e2e/web/identity_provider # an OpenID Connect provider that sign-in is tested with
            need_npm tests/contract/operators # schemas of Kubernetes operators' objects
            need_slurm_root
            ;;
        *) fail "Usage: scripts/setup.sh demo|demo-slurm|test" ;;
    esac
}

# On one line, so that bash has read all of this file before it runs any of it.
main "$@"; exit
