#!/usr/bin/env python3
"""Opens the row gate of outputs in the rows that its check misses, in a list of faults.

Usage: scripts/open_row_gate.py FAULTS.json OPENED.json

FAULTS.json is what `sagitta inject` writes for neurons with int8 values. Strikes in the same bit of two
lanes cancel in the XOR over a row's outputs; the list that is written has, besides, one flip of the
check itself in the cycle of each such row, which opens the gate and changes no value. Prints how many
rows and strikes the check misses. The result replays with fault.list (docs/resilience.md).
"""
import collections
import json
import re
import sys

OUTPUT = re.compile(r"vector\.output\.value\[\d+\]:(\d)@(\d+)")


def main(source, target):
    with open(source, encoding="utf-8") as file:
        faults = json.load(file)
    rows = missed_rows = strikes = missed_strikes = 0
    for trial in faults["trials"]:
        check, struck = collections.Counter(), collections.Counter()
        for fault in trial["faults"]:
            hit = OUTPUT.fullmatch(fault)
            if hit is None:
                sys.exit(f"{source}: '{fault}' is no output; inject with fault.values=int8")
            check[hit[2]] ^= 1 << int(hit[1])
            struck[hit[2]] += 1
        missed = [cycle for cycle in struck if check[cycle] == 0]
        trial["faults"] += [f"vector.output.check:0@{cycle}" for cycle in missed]
        rows, missed_rows = rows + len(struck), missed_rows + len(missed)
        strikes += sum(struck.values())
        missed_strikes += sum(struck[cycle] for cycle in missed)
    with open(target, "w", encoding="utf-8") as file:
        json.dump(faults, file)
    print(f"missed: {missed_rows} of {rows} rows, {missed_strikes} of {strikes} strikes")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
