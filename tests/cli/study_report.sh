#!/bin/sh
# The report of a study, from two parts of one network: its answers are there and say what the data
# say.
#   study_report.sh SAGITTA PROJECT
set -eu
sagitta=$1
cd "$2"
config=configs/sweeps/paper.json
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for part in int8 registers; do
  "$sagitta" sweep "$config" --part "$part" --set network=models/mlp-mnist --set images=20 \
    --set fault.trials=12 -q -o "$folder/$part/mlp-mnist" > "$folder/$part.txt"
done
python3 scripts/study_report.py "$config" "$folder" > "$folder/results.md"

fail() {
  echo "no line of the report matches: $1" >&2
  cat "$folder/results.md" >&2
  exit 1
}
has() {
  grep -q -- "$1" "$folder/results.md" || fail "$1"
}
has '^## In short$'
has '^| `tuned map layer` | [0-9.]* \[[0-9., ]*\] (24) |$'
has '^| `hardened` | [0-9.]* \[[0-9., ]*\] ([+0-9.]*) |$'
has '^| registers | 1 upset in logic, own | 12 | 3 | 1 |$'
has '^Shares of fault-free neurons .* int8: 0.01 `'
has '^Fixed beforehand: `tuned layer` (ours, .*) against `range-zero channel` (.*It is superior, '
has '^- mlp-mnist, 1 upset in logic, own: fewer wrong classes than `none`, intervals apart: '
has '^Clean accuracy within 0.2 points of `none` on every network and in every part: '
has '^## Comparisons fixed beforehand$'
has '^## Best with hindsight$'
# An accuracy of the table is that of the data.
accuracy=$(python3 - "$folder/int8/mlp-mnist/results.json" << 'PYTHON'
import json, sys
for c in json.load(open(sys.argv[1]))["configurations"]:
    if c["scheme"] == "tuned layer" and c["fault"]["rate"] == 0.1:
        print(f"{100 * c['accuracy_under_faults']['value']:.1f}")
PYTHON
)
has "^| tuned layer | $accuracy \["
