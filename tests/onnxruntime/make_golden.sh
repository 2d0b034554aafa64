#!/bin/sh
# Regenerates everything below golden/. Needs Node 20 and, from Debian,
# python3-onnx and python3-numpy.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-/usr/bin/python3}
lenet=../../models/lenet5-mnist

npm ci --ignore-scripts --no-audit --no-fund
"$python" make_models.py
"$python" make_golden.py --model $lenet/model.onnx --network $lenet/network.json \
    --input $lenet/test/images.npy --layer-samples 8 --output-dir golden/lenet5-mnist
for name in qlinear perchannel asymmetric residual residual_qlinear; do
    "$python" make_golden.py --model models/$name.onnx --input models/${name}_input.npy \
        --output-dir golden/$name
done
