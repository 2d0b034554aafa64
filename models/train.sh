#!/bin/sh
# Rebuilds a network of this folder from the public data: installs what its train.py needs on
# Debian 12, fetches the images from npm, then trains and quantises.
#
#   models/train.sh NETWORK [OPTION...]      options go to NETWORK/train.py; try --help
#
# SKIP_INSTALL=1 leaves the system packages alone.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
script=$here/${1-}/train.py
if [ $# -eq 0 ] || [ ! -f "$script" ]; then
    echo "Usage: models/train.sh NETWORK [OPTION...]   NETWORK is one of:" \
        "$(cd "$here" && echo */train.py | sed 's#/train.py##g')" >&2
    exit 2
fi
shift

if [ "${SKIP_INSTALL:-0}" != 1 ]; then
    sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    $sudo apt-get install -y --no-install-recommends \
        python3-torch python3-onnx python3-numpy libopenblas0-pthread
fi

(cd "$here" && npm ci --ignore-scripts --no-audit --no-fund)

# Debian's own interpreter: another python3 on PATH would not see its modules.
# Two threads and passive waiting keep a rebuild polite and repeatable.
OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2 OMP_WAIT_POLICY=passive \
    exec "${PYTHON:-/usr/bin/python3}" "$script" "$@"
