#!/usr/bin/env python3
"""Builds each mutant of mutants.txt and runs lockstep, which must find it.

Usage: mutants.py BUILD [NUMBER...]

BUILD is a folder for a build of its own, with a copy of rtl/ that the mutants change one after
another. Without numbers all are tried; exit status 1 when one survives.
"""
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LOCKSTEP = ["--products", "40", "--flips", "800"]


def mutants():
    entry = re.compile(r"^(\w+) (\S+)\n- (.+)\n\+ (.+)$", re.MULTILINE)
    found = entry.findall((HERE / "mutants.txt").read_text())
    for _, name, before, _ in found:
        count = (ROOT / "rtl" / name).read_text().count(before)
        if count != 1:
            sys.exit(f"{name}: '{before}' occurs {count} times: mend tests/cosim/mutants.txt")
    return found


def quietly(command, what):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{what}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    numbers = {int(n) for n in sys.argv[2:]}
    everything = mutants()
    chosen = [(i, m) for i, m in enumerate(everything, 1) if not numbers or i in numbers]
    rtl = build / "rtl"
    shapes = sorted({m[0] for _, m in chosen})
    shutil.rmtree(rtl, ignore_errors=True)
    shutil.copytree(ROOT / "rtl", rtl)
    configure = ["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                 "-DSAGITTA_BENCH=OFF", f"-DSAGITTA_RTL={rtl}",
                 "-DSAGITTA_COSIM_SHAPES=" + ";".join(shapes)]
    quietly([str(c) for c in configure], "configuring")
    targets = [f"lockstep_{shape}" for shape in shapes]
    quietly(["cmake", "--build", str(build), "--target", *targets], "building the original")
    for target in targets:
        quietly([str(build / "tests/cosim" / target), *LOCKSTEP], f"{target}, not mutated")

    survivors = 0
    for number, (shape, name, before, after) in chosen:
        file = rtl / name
        original = file.read_text()
        file.write_text(original.replace(before, after))
        target = f"lockstep_{shape}"
        quietly(["cmake", "--build", str(build), "--target", target], f"mutant {number}")
        run = subprocess.run(
            [str(build / "tests/cosim" / target), *LOCKSTEP, "--waves", str(build)],
            capture_output=True, text=True)
        first = next((l for l in run.stdout.splitlines() if l.startswith("MISMATCH")), "")
        found = run.returncode == 1 and first
        survivors += not found
        print(f"{number:>2} {name:<32} {shape}: {before}  ->  {after}")
        print(f"   {first if found else 'SURVIVES'}", flush=True)
        file.write_text(original)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants found")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
