#!/usr/bin/env python3
"""Compares a shape's fault sites with the flip-flops and memories that Yosys finds in the RTL.

Usage: yosys_counts.py RTL LOCKSTEP [--sagitta SAGITTA] PARAMETER=VALUE...

RTL is the folder of the sources, LOCKSTEP the shape's lockstep program, whose --registers lists
every site class with the name of its register. After `proc; flatten` every bit of these registers
must be the output of exactly one flip-flop cell or a bit of a memory, and there must be no other
flip-flop, latch or memory. The array has as many multipliers as the parameters say.

With --sagitta, the sites are what the command `sagitta sites` prints for an experiment that
describes the same machine, path by path. Without, they are those that LOCKSTEP lists: of machines
that no experiment describes, since it has one scheme at a time and no 32-bit results.

Prints the bits of each block.
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "onnxruntime" / "models"
# A residual network: three maps live at once. Its input serves as images.
MODEL = "residual_qlinear"
PRODUCTS = ("conv1", "depthwise", "matmul1")  # its convolutions and dense layers
IMAGES = 4
MAPS = 3


def netlist(rtl, parameters):
    sources = " ".join(str(p) for p in sorted(pathlib.Path(rtl).rglob("*.sv")))
    settings = " ".join(f"-set {name} {value}" for name, value in parameters.items())
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "netlist.json"
        script = (
            f"read_verilog -sv {sources}; chparam {settings} sagitta; "
            f"hierarchy -check -top sagitta; proc; flatten; write_json {out}"
        )
        subprocess.run(["yosys", "-q", "-p", script], check=True)
        return json.loads(out.read_text())["modules"]["sagitta"]


def scheme_of(parameters):
    """The scheme of an experiment that gives the machine these checkers and copies."""
    on = {name: int(value) for name, value in parameters.items() if int(value)}
    found = []
    if on.get("COPIES", 1) == 3:
        found.append({"kind": "tmr-reg" if on.get("MACS") == 1 else "tmr-pe"})
    if on.get("ARRAYS", 1) > 1:
        two = "dmr-recompute" if on.get("RETRIES") == 1 else "dmr"
        found.append({"kind": two if on["ARRAYS"] == 2 else "tmr-array"})
    if on.get("PASSES", 1) == 3:
        found.append({"kind": "tmr-time"})
    if "MEMORY_CODE" in on:
        found.append({"kind": "parity" if on["MEMORY_CODE"] == 1 else "secded"})
    for code in (on.get(f"CHECKER{i}", 0) for i in range(4)):  # as rtl/sagitta.sv says
        if not code & 3:
            continue
        if code & 3 == 3 or code >> 4 & ~128:
            sys.exit("no experiment describes this shape")
        scheme = {"kind": "range-zero" if code & 3 == 1 else "gradient",
                  "granularity": "neuron" if code & 2048 else "channel" if code & 4 else "layer"}
        if code & 3 == 2:
            scheme["gate"] = "row" if code & 8 else "always"
        elif code & 8:
            sys.exit("no experiment describes this shape")
        found.append(scheme)
    gated = any(s.get("gate") == "row" for s in found)
    if len(found) > 1 or gated != ("CHECKSUM" in on) or "RAW_WORDS" in on or on["MAPS"] != MAPS:
        sys.exit("no experiment describes this shape")
    return found[0] if found else "none"


def dataflow_of(flows):
    """That of the machine, or of its layers: the model's three with a product."""
    members = [name for bit, name in enumerate(("os", "ws", "is")) if flows >> bit & 1]
    if len(members) == 1:
        return members[0]
    layers = dict(zip(PRODUCTS, members * len(PRODUCTS)))
    return {"default": members[0], "layers": layers}


def experiment_of(parameters):
    number = {name: int(value) for name, value in parameters.items()}
    memory = {
        "activation_bytes": number["ACTIVATION_BYTES"],
        "weight_rows": number["WEIGHT_ROWS"],
        "dram_bytes_per_cycle": number["DRAM_BYTES"],
        "dma_queue": number["DMA_QUEUE"],
    }
    for key in ("partial_rows", "activation_banks", "activation_port_bytes"):
        if key.upper() in number:
            memory[key] = number[key.upper()]
    return {
        "network": "network.json",
        "images": IMAGES,
        "array": {
            "rows": number["ROWS"],
            "cols": number["COLUMNS"],
            "dataflow": dataflow_of(number["FLOWS"]),
            "overlap": number.get("OVERLAP", 0) != 0,
        },
        "scheme": scheme_of(parameters),
        "memory": memory,
    }


def sites_of_command(sagitta, parameters):
    """Bits by path and storage, as `sagitta sites --json` prints them."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        header = f"{{'descr': '|i1', 'fortran_order': False, 'shape': ({IMAGES},), }}"
        header += " " * (-(10 + len(header) + 1) % 64) + "\n"
        labels = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
        (folder / "labels.npy").write_bytes(labels + bytes(IMAGES))
        data = {"images": str(MODELS / f"{MODEL}_input.npy"), "labels": "labels.npy"}
        network = {
            "name": MODEL,
            "model": str(MODELS / f"{MODEL}.onnx"),
            "preprocessing": {"scale": 1, "mean": [0.0], "std": [1.0]},
            "test": data,
            "calibration": data,
        }
        (folder / "network.json").write_text(json.dumps(network))
        (folder / "experiment.json").write_text(json.dumps(experiment_of(parameters)))
        command = [sagitta, "sites", str(folder / "experiment.json"), "--json"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    sites = collections.Counter()
    for line in json.loads(printed)["blocks"]:
        sites[line["path"], line["storage"]] += line["bits"]
    return sites


def plain(name):
    """Without the blocks that Yosys finds in `else if`, which have no name in the sources."""
    return re.sub(r"genblk\d+\.", "", name)


def without_indices(path):
    return re.sub(r"\[\d*\]", "[]", path)


def block_of(path):
    """The block of a site: control.sequencer, memory.dma, array, ..."""
    parts = path.replace("[]", "").split(".")
    whole = parts[0].startswith("array") or parts[0] == "vector"
    return parts[0] if whole else ".".join(parts[:2])


def multipliers(parameters):
    """Of all PEs."""
    number = {"COPIES": 1, "ARRAYS": 1} | {name: int(value) for name, value in parameters.items()}
    macs = number.get("MACS", number["COPIES"])
    return number["ROWS"] * number["COLUMNS"] * macs * number["ARRAYS"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rtl")
    parser.add_argument("lockstep")
    parser.add_argument("--sagitta")
    parser.add_argument("parameters", nargs="+")
    arguments = parser.parse_args()
    parameters = dict(p.split("=") for p in arguments.parameters)

    module = netlist(arguments.rtl, parameters)
    driven = collections.Counter()  # net bit: flip-flops that drive it
    for cell in module["cells"].values():
        kind = cell["type"]
        if "latch" in kind or kind in ("$sr", "$ff"):
            sys.exit(f"a storage cell that is no flip-flop: {kind}")
        if "dff" in kind:
            driven.update(cell["connections"]["Q"])
    nets = {plain(name): net["bits"] for name, net in module["netnames"].items()}
    memories = {
        plain(name): memory["width"] * memory["size"]
        for name, memory in module["memories"].items()
    }

    errors = []
    products = sum(
        cell["type"] == "$mul" and "array." in name and "macs[" in name
        for name, cell in module["cells"].items()
    )
    if products != multipliers(parameters):
        errors.append(f"the array has {products} multipliers, not {multipliers(parameters)}")
    found = collections.Counter()  # by path and storage
    sites = collections.Counter()
    claimed = set()
    listing = subprocess.run(
        [arguments.lockstep, "--registers"], check=True, capture_output=True, text=True
    )
    for line in listing.stdout.splitlines():
        name, bits, path, storage = line.split()
        key = without_indices(path), storage
        sites[key] += int(bits)
        if storage == "sram":
            size = memories.pop(name, 0)
        else:
            own = [b for b in nets.get(name, []) if driven.get(b) == 1 and b not in claimed]
            claimed.update(own)
            size = len(own)
        found[key] += size
        if size != int(bits):
            errors.append(f"{path}: {bits} bits are sites, Yosys finds {size} in {name}")
    for name, size in memories.items():
        errors.append(f"memory {name} of {size} bits is no site")
    # Yosys makes flip-flops of loop variables and of the temporaries of memory writes as well, under
    # names of its own, with a $. Registers have the names of the sources.
    named = {bit for name, bits in nets.items() if "$" not in name for bit in bits}
    for bit in (set(driven) - claimed) & named:
        names = [name for name, bits in nets.items() if bit in bits]
        errors.append(f"a flip-flop that is no site drives {', '.join(names[:3])}")
    if arguments.sagitta:
        sites = sites_of_command(arguments.sagitta, parameters)
        for path, storage in sorted(set(sites) | set(found)):
            key = path, storage
            if sites[key] != found[key]:
                errors.append(
                    f"{path}: `sagitta sites` prints {sites[key]} bits ({storage}), "
                    f"Yosys finds {found[key]}"
                )

    blocks = collections.defaultdict(lambda: [0, 0])
    for key in set(sites) | set(found):
        row = blocks[block_of(key[0]), key[1]]
        row[0] += sites[key]
        row[1] += found[key]
    print(f"{'block':<22} {'storage':<10} {'sites':>8} {'Yosys':>8}")
    for (block, storage), (listed, counted) in sorted(blocks.items()):
        print(f"{block:<22} {storage:<10} {listed:>8} {counted:>8}")
    print(f"{'total':<33} {sum(sites.values()):>8} {sum(found.values()):>8}")
    if errors:
        sys.exit("\n".join(errors[:20]))


if __name__ == "__main__":
    main()
