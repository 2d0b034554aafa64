#!/usr/bin/env python3
"""Builds each mutant of mutants.txt and runs lockstep, which must find it.

The build folder is for builds of its own, one a worker, each with a copy of rtl/ that the mutants
change one after another. Without numbers all are tried; exit status 1 when one survives. What has
been found is kept in BUILD/found.json and not tried again until a source changes. --check only
sees that every mutant's text still occurs in the RTL.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LOCKSTEP = ["--products", "40", "--flips", "800", "--bursts", "40"]
# Some show only in states that few faults lead to: none survives before this, too, was tried.
LONGER = ["--products", "0", "--flips", "8000", "--bursts", "800", "--seed", "100000"]


def mutants():
    """(shape, file, text, what takes its place), in order."""
    entry = re.compile(r"^(\w+) (\S+)\n- (.+)\n\+ (.+)$", re.MULTILINE)
    found = entry.findall((HERE / "mutants.txt").read_text())
    for _, name, before, _ in found:
        count = (ROOT / "rtl" / name).read_text().count(before)
        if count != 1:
            sys.exit(f"{name}: '{before}' occurs {count} times: mend tests/cosim/mutants.txt")
    return found


def digest_of_sources():
    digest = hashlib.sha256()
    for folder in ("rtl", "sim", "tests/cosim", "tests/support"):
        for path in sorted((ROOT / folder).rglob("*.*")):
            if path.name not in ("mutants.txt", "mutants.py"):
                digest.update(path.read_bytes())
    return digest.hexdigest()


class Trial:
    """One run over the mutants: workers, what they found, and what is printed."""

    def __init__(self, build):
        self.build = build
        self.lock = threading.Lock()
        self.kept_in = build / "found.json"
        self.sources = digest_of_sources()
        kept = json.loads(self.kept_in.read_text()) if self.kept_in.exists() else {}
        self.found = kept.get("found", {}) if kept.get("sources") == self.sources else {}
        self.survivors = 0

    def quietly(self, command, what):
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{what}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")

    def lockstep(self, folder, shape, longer=False):
        """Builds and runs; what it printed, and its exit status."""
        target = f"lockstep_{shape}"
        build = ["cmake", "--build", folder, "--parallel", "1", "--target", target]
        self.quietly(build, f"building {target}")
        for amount in [LOCKSTEP, LONGER] if longer else [LOCKSTEP]:
            command = [folder / "tests/cosim" / target, *amount, "--waves", folder]
            run = subprocess.run([str(c) for c in command], capture_output=True, text=True)
            if run.returncode:
                break
        return run.stdout, run.returncode

    def report(self, number, mutant, mismatch):
        _, name, before, after = mutant
        with self.lock:
            self.survivors += not mismatch
            if mismatch:
                self.found["\n".join(mutant)] = mismatch
                text = json.dumps({"sources": self.sources, "found": self.found}, indent=1)
                self.kept_in.write_text(text)
            print(f"{number:>2} {name}: {before}  ->  {after}")
            print(f"   {mismatch or 'SURVIVES'}", flush=True)

    def try_shape(self, folder, shape, chosen):
        """The mutants of one shape: a change builds all shapes that there are, so only this one."""
        left = []
        for number, mutant in chosen:
            kept = self.found.get("\n".join(mutant))
            if kept:
                self.report(number, mutant, kept)
            else:
                left.append((number, mutant))
        if not left:
            return
        rtl = folder / "rtl"
        shutil.rmtree(rtl, ignore_errors=True)
        shutil.copytree(ROOT / "rtl", rtl)
        configure = ["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                     "-DSAGITTA_WERROR=ON", "-DSAGITTA_BENCH=OFF", f"-DSAGITTA_RTL={rtl}",
                     f"-DSAGITTA_COSIM_SHAPES={shape}"]
        self.quietly(configure, "configuring")
        output, status = self.lockstep(folder, shape)
        if status:
            raise RuntimeError(f"{shape} fails without a mutation:\n{output}")
        for number, mutant in left:
            _, name, before, after = mutant
            original = (rtl / name).read_text()
            (rtl / name).write_text(original.replace(before, after))
            try:
                output, status = self.lockstep(folder, shape, longer=True)
            except RuntimeError as error:  # a mutant that cannot be built shows nothing
                output, status = "", str(error)
                print(error)
            first = next((l for l in output.splitlines() if l.startswith("MISMATCH")), "")
            self.report(number, mutant, first if status == 1 else "")
            (rtl / name).write_text(original)

    def run(self, chosen):
        workers = os.cpu_count() or 1
        folders = queue.Queue()
        for i in range(workers):
            folders.put(self.build / f"worker-{i}")

        def work(shape):
            folder = folders.get()
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self.try_shape(folder, shape, [c for c in chosen if c[1][0] == shape])
            finally:
                folders.put(folder)

        count = {shape: sum(c[1][0] == shape for c in chosen) for shape in {c[1][0] for c in chosen}}
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            for done in [pool.submit(work, s) for s in sorted(count, key=lambda s: -count[s])]:
                done.result()
        print(f"{len(chosen) - self.survivors} of {len(chosen)} mutants found")
        return 1 if self.survivors else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true",
                        help="only see that each mutant has its place in the RTL")
    parser.add_argument("build", nargs="?", type=pathlib.Path, default=ROOT / "build" / "mutants",
                        help="folder to build in (build/mutants)")
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER",
                        help="mutants to try, counted from 1; without any, all")
    args = parser.parse_args()
    every = list(enumerate(mutants(), 1))
    if args.check:
        print(f"{len(every)} mutants, each at one place in the RTL")
        return 0
    unknown = sorted(set(args.numbers) - {number for number, _ in every})
    if unknown:
        parser.error(f"there is no mutant {unknown[0]}: they go from 1 to {len(every)}")
    build = args.build.resolve()
    build.mkdir(parents=True, exist_ok=True)
    try:
        return Trial(build).run([c for c in every if not args.numbers or c[0] in args.numbers])
    except RuntimeError as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
