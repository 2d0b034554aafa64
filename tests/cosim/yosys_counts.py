#!/usr/bin/env python3
"""Compares the fault sites of a shape with the flip-flops and memories that Yosys finds in the RTL.

Usage: yosys_counts.py RTL LOCKSTEP PARAMETER=VALUE...

RTL is the folder of the sources, LOCKSTEP the shape's lockstep program, whose --registers lists every
site class with the name of its register. After `proc; flatten` every bit of these registers must be
the output of exactly one flip-flop cell or a bit of a memory, and there must be no other flip-flop,
latch or memory. Prints the bits of each block.
"""
import collections
import json
import pathlib
import subprocess
import sys
import tempfile


def netlist(rtl, parameters):
    sources = " ".join(str(p) for p in sorted(pathlib.Path(rtl).rglob("*.sv")))
    settings = " ".join("-set " + p.replace("=", " ") for p in parameters)
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "netlist.json"
        script = (
            f"read_verilog -sv {sources}; chparam {settings} sagitta; "
            f"hierarchy -check -top sagitta; proc; flatten; write_json {out}"
        )
        subprocess.run(["yosys", "-q", "-p", script], check=True)
        return json.loads(out.read_text())["modules"]["sagitta"]


def block_of(path):
    """The block of a site: control.sequencer, memory.dma, array, ..."""
    parts = path.replace("[]", "").split(".")
    return parts[0] if parts[0] in ("array", "vector") else ".".join(parts[:2])


def main():
    rtl, lockstep, *parameters = sys.argv[1:]
    module = netlist(rtl, parameters)
    driven = collections.Counter()  # net bit: flip-flops that drive it
    for cell in module["cells"].values():
        kind = cell["type"]
        if "latch" in kind or kind in ("$sr", "$ff"):
            sys.exit(f"a storage cell that is no flip-flop: {kind}")
        if "dff" in kind:
            driven.update(cell["connections"]["Q"])
    memories = {
        name: memory["width"] * memory["size"] for name, memory in module["memories"].items()
    }

    errors = []
    found = collections.Counter()
    listed = collections.Counter()
    claimed = set()
    listing = subprocess.run([lockstep, "--registers"], check=True, capture_output=True, text=True)
    for line in listing.stdout.splitlines():
        name, bits, path, storage = line.split()
        listed[block_of(path), storage] += int(bits)
        if storage == "sram":
            size = memories.pop(name, 0)
        else:
            nets = module["netnames"].get(name, {"bits": []})["bits"]
            own = [b for b in nets if driven.get(b) == 1 and b not in claimed]
            claimed.update(own)
            size = len(own)
        found[block_of(path), storage] += size
        if size != int(bits):
            errors.append(f"{path}: {bits} bits are sites, Yosys finds {size} in {name}")
    for name, size in memories.items():
        errors.append(f"memory {name} of {size} bits is no site")
    for bit in set(driven) - claimed:
        names = [n for n, net in module["netnames"].items() if bit in net["bits"]]
        errors.append(f"a flip-flop that is no site drives {', '.join(names[:3])}")

    print(f"{'block':<22} {'storage':<10} {'sites':>8} {'Yosys':>8}")
    for block, storage in sorted(listed):
        print(f"{block:<22} {storage:<10} {listed[block, storage]:>8} {found[block, storage]:>8}")
    print(f"{'total':<33} {sum(listed.values()):>8} {sum(found.values()):>8}")
    if errors:
        sys.exit("\n".join(errors[:20]))


if __name__ == "__main__":
    main()
