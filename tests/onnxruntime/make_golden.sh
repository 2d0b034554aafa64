#!/bin/sh
# Regenerates everything below golden/. Needs Node 20 and, from Debian,
# python3-onnx and python3-numpy.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-/usr/bin/python3}

npm ci --ignore-scripts --no-audit --no-fund
"$python" make_models.py
golden_of() {  # NETWORK IMAGES: layer by layer of so many images, end to end of all
    folder=../../models/$1
    "$python" make_golden.py --model "$folder/model.onnx" --network "$folder/network.json" \
        --input "$folder/test/images.npy" --layer-samples "$2" --output-dir "golden/$1"
}
golden_of lenet5-mnist 8
golden_of mlp-mnist 8
golden_of resnet8-fashion 2
for name in qlinear perchannel asymmetric residual residual_qlinear; do
    "$python" make_golden.py --model models/$name.onnx --input models/${name}_input.npy \
        --output-dir golden/$name
done
