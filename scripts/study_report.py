#!/usr/bin/env python3
"""Writes the report of a study from what `sagitta sweep` has left.

    python3 scripts/study_report.py CONFIG DIR > results.md

DIR holds PART/NETWORK/results.json and neighbours-NETWORK.json (scripts/study). Every number of the
report is read or computed here. Standard library only.
"""

import json
import pathlib
import sys

CONFIG, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])


def load():
    """{part: {network: results}}, in the order of the experiment."""
    parts = json.loads(pathlib.Path(CONFIG).read_text())["parts"]
    study = {}
    for part in parts:
        found = sorted((FOLDER / part).glob("*/results.json"))
        study[part] = {p.parent.name: json.loads(p.read_text()) for p in found}
    return {part: networks for part, networks in study.items() if networks}


STUDY = load()


def percent(value, digits=1):
    return f"{100 * value:.{digits}f}"


def with_interval(p):
    return f"{percent(p['value'])} [{percent(p['low'])}, {percent(p['high'])}]"


def overhead(value):
    if value is None:  # a study in software
        return "-"
    return "0" if abs(value) < 5e-5 else f"{100 * value:+.1f}"


def table(header, rows, left=1):
    lines = ["| " + " | ".join(header) + " |",
             "|" + "|".join("---" if i < left else "---:" for i in range(len(header))) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def plan(c):
    f = c["fault"]
    if f["level"] == "register":
        return f"{f['upsets']} upset{'s' * (f['upsets'] != 1)} in {f['sites']}, {f['population']}"
    what = {"neuron": f"{f['values']} neurons", "weight": "weights"}[f["level"]]
    return f"{what}, rate {f['rate']:g}"


def plans(results):
    names = []
    for c in results["configurations"]:
        if plan(c) not in names:
            names.append(plan(c))
    return names


def of_plan(results, name):
    return [c for c in results["configurations"] if plan(c) == name]


def by_scheme(configurations):
    return {c["scheme"]: c for c in configurations}


def pair_with(results, reference, c):
    """McNemar against another scheme on the same faults; (difference in points, p) or None."""
    name = c["name"][: -len(c["scheme"])] + reference
    for p in results.get("pairs", []):
        same = all(p[k] == c["fault"][k] for k in ("level", "rate", "values", "sites", "upsets"))
        if not same or p["seed"] != c["fault"]["seed"]:
            continue
        if (p["first"], p["second"]) == (name, c["name"]):
            return 100 * p["accuracy_difference"], p["mcnemar_p"]
        if (p["second"], p["first"]) == (name, c["name"]):
            return -100 * p["accuracy_difference"], p["mcnemar_p"]
    return None


def show_pair(pair):
    if pair is None:
        return "-"
    return f"{pair[0]:+.1f} ({pair[1]:.2g})"


def fault_tables(part):
    for network, results in STUDY[part].items():
        print(f"### {network}\n")
        references = ["none"] + [s for s in by_scheme(results["configurations"])
                                 if s.startswith("tmr-pe")]
        for name in plans(results):
            rows = []
            for c in of_plan(results, name):
                pairs = [show_pair(pair_with(results, r, c)) for r in references]
                rows.append([c["scheme"], with_interval(c["accuracy_under_faults"]),
                             with_interval(c["sdc_rate"]), *pairs,
                             percent(c["tolerable_rate"]["value"]),
                             percent(c["detected_rate"]["value"]),
                             percent(c["hang_rate"]["value"])])
            trials = of_plan(results, name)[0]["trials"]
            seed = of_plan(results, name)[0]["fault"]["seed"]
            print(f"{name}; {trials} trials a scheme, seed {seed}; fault-free on the same draws "
                  f"{percent(of_plan(results, name)[0]['accuracy_fault_free_same_draws']['value'])} %\n")
            print(table(["scheme", "accuracy under faults", "SDC",
                         *[f"against {r}, points (p)" for r in references],
                         "tolerable", "detected", "hang"], rows))


def clean_tables(part):
    for network, results in STUDY[part].items():
        rows, seen = [], set()
        base = next(c for c in results["configurations"] if c["scheme"] == "none")
        for c in results["configurations"]:
            if c["scheme"] in seen:
                continue
            seen.add(c["scheme"])
            o = c["overhead"]
            change = c["accuracy"]["value"] - base["accuracy"]["value"]
            rows.append([c["scheme"], with_interval(c["accuracy"]), f"{100 * change:+.2f}",
                         percent(c["false_alarms"]["images"]["value"]),
                         f"{c['false_alarms']['suppressed_values']['value']:.1e}",
                         c["threshold_bytes"], overhead(o["area"]), overhead(o["energy"]),
                         overhead(o["cycles"])])
        print(f"### {network}\n")
        print(table(["scheme", "clean accuracy", "change, points", "images with an alarm",
                     "values suppressed", "threshold bytes", "area", "energy", "cycles"], rows))


POSITIONS = {"sum": "int32 sums", "output": "int8 outputs"}
CHOICES = [("lanes", "both"), ("lanes in near order", "both"), ("line", "both"),
           ("line", "spike"), ("lanes in near order", "spike"), ("map", "three")]


def neighbours():
    found = sorted(FOLDER.glob("neighbours-*.json"))
    return {p.stem[len("neighbours-"):]: json.loads(p.read_text())["neighbours"] for p in found}


def neighbour_tables():
    for network, arrays in neighbours().items():
        for a in arrays:
            for position, values in POSITIONS.items():
                layers = {}
                for f in a["layers"]:
                    if f["position"] == position:
                        layers.setdefault(f["layer"], {})[(f["neighbours"], f["rule"])] = f
                rows = []
                for layer, fits in layers.items():
                    ratio = [f"{fits[c]['sigma_ratio']:.2f}" if c in fits else "-"
                             for c in CHOICES[:3]]
                    value = fits[("none", "value")]["threshold"]
                    reach = [f"{fits[c]['threshold']:.2f}" if c in fits else "-" for c in CHOICES]
                    rows.append([layer, *ratio, f"{value:.2f}", *reach])
                print(f"### {network}, {a['array']}, {values}\n")
                print(table(["layer", "ratio: lanes", "near order", "line", "threshold: value",
                             "lanes", "near order", "line", "line, spike", "near order, spike",
                             "map, three of four"], rows))


def all_fits(position):
    """Of every layer of every network: {(neighbours, rule): fit}."""
    layers = {}
    for network, arrays in neighbours().items():
        for a in arrays:
            for f in a["layers"]:
                if f["position"] == position:
                    layers.setdefault((network, a["array"], f["layer"]), {})[
                        (f["neighbours"], f["rule"])] = f
    return list(layers.values())


def tighter(layers, choice):
    """Layers in which this threshold lies below the value's, and layers that have it."""
    having = [fits for fits in layers if choice in fits]
    below = sum(fits[choice]["threshold"] < fits[("none", "value")]["threshold"]
                for fits in having)
    return below, len(having)


def answer_tightness():
    if not neighbours():
        return
    print("**1. Are gradient thresholds tighter than value thresholds? For which neighbours?**\n")
    for position, values in POSITIONS.items():
        layers = all_fits(position)
        for choice, words in (("lanes", "channels in their natural order"),
                              ("lanes in near order", "channels put in a near order"),
                              ("line", "pixels along a line"),
                              ("map", "the four pixels around one in the map")):
            rule = "three" if choice == "map" else "both"
            r = [fits[(choice, rule)]["sigma_ratio"] for fits in layers if (choice, rule) in fits]
            if not r:
                continue
            b, n = tighter(layers, (choice, rule))
            text = (f"- {values}, {words}: sigma_G/sigma_Y {min(r):.2f} to {max(r):.2f}, below 1 in "
                    f"{sum(x < 1 for x in r)} of {len(r)} layers; the threshold is tighter than the "
                    f"value's in {b} of {n} layers")
            if choice == "map":
                print(f"{text} where three of the four must be exceeded.")
                continue
            spikes, m = tighter(layers, (choice, "spike"))
            print(f"{text} under the paper's rule and in {spikes} of {m} for spikes.")
    print()


def apart(a, b):
    return a["low"] > b["high"] or b["low"] > a["high"]


# Which scheme is held against which was fixed before the study was run: bounds a layer of two or
# three checkers against bounds a channel of one.
DECLARED = ("tuned layer", "tuned map layer"), "range-zero channel"


def verdict(a, b):
    if not apart(a, b):
        return "comparable"
    return "superior" if a["value"] > b["value"] else "inferior"


def declared_comparison(first, second):
    rows = []
    for networks in STUDY.values():
        for network, results in networks.items():
            for name in plans(results):
                here = by_scheme(of_plan(results, name))
                if first not in here or second not in here:
                    continue
                if here[first]["fault"]["level"] == "register":
                    continue
                a, b = (here[s]["accuracy_under_faults"] for s in (first, second))
                rows.append([network, name, here[first]["threshold_bytes"], with_interval(a),
                             here[second]["threshold_bytes"], with_interval(b), verdict(a, b)])
    if not rows:
        return
    ends = {v: sum(r[-1] == v for r in rows) for v in ("superior", "comparable", "inferior")}
    print(f"Fixed beforehand: `{first}` (ours, bounds a layer) against `{second}`. It is superior, "
          f"with intervals that do not overlap, in {ends['superior']} of {len(rows)} plans, "
          f"inferior in {ends['inferior']}, else comparable:\n")
    print(table(["network", "faults", "bytes", first, "bytes", second, "verdict"], rows, left=2))


def answer_storage():
    print("**2. Is accuracy comparable or superior to range and median at equal threshold "
          "storage?**\n")
    for first in DECLARED[0]:
        declared_comparison(first, DECLARED[1])
    print("Each range and median scheme against the best of the gradient schemes with no more "
          "storage, chosen with hindsight and so an optimistic figure:\n")
    tally = {}
    for part, networks in STUDY.items():
        for network, results in networks.items():
            for name in plans(results):
                fault = of_plan(results, name)[0]["fault"]
                if fault["level"] == "register":
                    continue
                rows = of_plan(results, name)
                gradients = [c for c in rows if "gradient" in c["scheme"] or "tuned" in c["scheme"]]
                for rival in rows:
                    if not rival["scheme"].startswith(("range-zero", "median")):
                        continue
                    # At most as many bytes; a median filter has none to compare with.
                    fair = [c for c in gradients if rival["threshold_bytes"] == 0 or
                            c["threshold_bytes"] <= rival["threshold_bytes"]]
                    if not fair:
                        continue
                    best = max(fair, key=lambda c: c["accuracy_under_faults"]["value"])
                    a, b = best["accuracy_under_faults"], rival["accuracy_under_faults"]
                    overlap = ("the intervals do not overlap" if apart(a, b)
                               else "the intervals overlap")
                    kind = "median" if rival["scheme"].startswith("median") else "range"
                    ends = tally.setdefault((fault["values"] or "weights", kind),
                                            {"superior": 0, "comparable": 0, "inferior": 0})
                    ends[verdict(a, b)] += 1
                    print(f"- {network}, {name}: {best['scheme']} ({best['threshold_bytes']} "
                          f"bytes) {percent(a['value'])} %, {rival['scheme']} "
                          f"({rival['threshold_bytes']} bytes) {percent(b['value'])} %; {overlap}.")
    print("\nThe best gradient scheme with at most the rival's storage is superior where its interval "
          "lies above the rival's, inferior where it lies below, and else comparable:\n")
    print(table(["values", "rival", "comparisons", "superior", "comparable", "inferior"],
                [[values, kind, sum(ends.values()), *ends.values()]
                 for (values, kind), ends in tally.items()], left=2))
    if any(values == "fp32" for values, _ in tally):
        print("fp32 is a study in software beside the hardware: float32 sums, the same neurons and "
              "bits as int32, an exact detector behind the gates; no unit whose cost could be "
              "counted.\n")


def answer_gating():
    print("**3. Does gating keep the clean accuracy, and how much does its granularity matter?**\n")
    for part, networks in STUDY.items():
        for network, results in networks.items():
            schemes = by_scheme(results["configurations"])
            gated = [s for s in schemes if s.startswith("tuned gate ")]
            if not gated:
                continue
            none = schemes["none"]["accuracy"]["value"]
            for name in plans(results):
                here = by_scheme(of_plan(results, name))
                text = ", ".join(
                    f"{s[len('tuned gate '):]} {percent(here[s]['accuracy_under_faults']['value'])} %"
                    f" (clean {100 * (here[s]['accuracy']['value'] - none):+.2f} points)"
                    for s in gated)
                print(f"- {network}, {name}: {text}.")
    print()


def answer_cost():
    own = [(network, results, name) for networks in STUDY.values()
           for network, results in networks.items() for name in plans(results)
           if any("absolute_failures" in c for c in of_plan(results, name))]
    if not own:
        return
    print("**4. What does the unit cost beside TMR, DMR and checksums, and how many absolute "
          "failures remain?** N x p in units of 10^6 bits x cycles, the faults in the unit itself "
          "counted.\n")
    for network, results, name in own:
        rows = []
        for c in of_plan(results, name):
            a = c["absolute_failures"]
            show = lambda v: f"{v['value'] / 1e6:.2f} [{v['low'] / 1e6:.2f}, {v['high'] / 1e6:.2f}]"
            o = c["overhead"]
            rows.append([c["scheme"], overhead(o["area"]), overhead(o["energy"]),
                         overhead(o["cycles"]), f"{c['fault']['bits_x_cycles'] / 1e6:.0f}",
                         show(a["sdc"]), show(a["hang"]), show(a["detected_uncorrected"])])
        print(f"{network}, {name}, {of_plan(results, name)[0]['trials']} trials a scheme\n")
        print(table(["scheme", "area", "energy", "cycles", "bits x cycles", "SDC", "hang",
                     "told to the host"], rows))


def answer_losses():
    print("**5. Where does it lose?** Where a gradient scheme is worse than `none` or than range "
          "to zero on the same faults (McNemar against `none`, p < 0.05; against range intervals "
          "that do not overlap):\n")
    lost = 0
    for networks in STUDY.values():
        for network, results in networks.items():
            for name in plans(results):
                here = by_scheme(of_plan(results, name))
                ranges = [c for s, c in here.items() if s.startswith("range-zero")]
                for scheme, c in here.items():
                    if "gradient" not in scheme and "tuned" not in scheme:
                        continue
                    pair = pair_with(results, "none", c)
                    worse = []
                    if pair and pair[0] < 0 and pair[1] < 0.05:
                        worse.append(f"{pair[0]:+.1f} points against none")
                    for r in ranges:
                        a, b = c["accuracy_under_faults"], r["accuracy_under_faults"]
                        if apart(a, b) and a["value"] < b["value"]:
                            worse.append(f"{percent(a['value'])} % where {r['scheme']} has "
                                         f"{percent(b['value'])} %")
                    if worse:
                        lost += 1
                        print(f"- {network}, {name}, {scheme}: {'; '.join(worse)}.")
    if not lost:
        print("Nowhere in this study.")
    print()


def breakdown_tables():
    for networks in STUDY.values():
        for network, results in networks.items():
            for c in results["configurations"]:
                if c["scheme"] != "none" or "breakdown" not in c:
                    continue
                if c["fault"]["population"] != "own":
                    continue
                b = c["breakdown"]
                print(f"### {network}, {plan(c)}, unprotected\n")
                rows = sorted(b["registers"], key=lambda r: -(r["sdc"] + r["hang"]))[:15]
                print(table(["register", "bits", "trials", "SDC", "hang", "tolerable", "masked"],
                            [[f"`{r['register']}`", r["bits"], r["trials"], r["sdc"], r["hang"],
                              r["tolerable"], r["masked"]] for r in rows]))
                print(table(["layer", "trials", "SDC", "hang", "tolerable", "masked"],
                            [[r["layer"] or "(none)", r["trials"], r["sdc"], r["hang"],
                              r["tolerable"], r["masked"]] for r in b["layers"]]))
                wide = {}
                for r in b["bits"]:
                    if "sum" not in r["register"] and "acc" not in r["register"]:
                        continue
                    group = wide.setdefault(r["bit"] // 4, [0, 0])
                    group[0] += r["trials"]
                    group[1] += r["sdc"]
                print(table(["bits of sums and accumulators", "trials", "SDC"],
                            [[f"{4 * g} to {4 * g + 3}", n, s] for g, (n, s) in
                             sorted(wide.items())]))
                rows = {}
                for p in b["pes"]:
                    r = rows.setdefault(p["row"] // 4, [0, 0])
                    r[0] += p["trials"]
                    r[1] += p["sdc"]
                print(table(["rows of PEs", "trials", "SDC"],
                            [[f"{4 * r} to {4 * r + 3}", n, s] for r, (n, s) in
                             sorted(rows.items())]))


def main():
    command = "scripts/study" + (" --full" if "full" in CONFIG else "")
    first = next(iter(next(iter(STUDY.values())).values()))
    print("# Results\n")
    print(f"Made by `{command}` ([{CONFIG}](../{CONFIG})), version "
          f"{first['sagitta']['version']}. Accuracies and rates in %, with 95 % Wilson intervals; "
          "overheads in % of the unprotected machine; paired differences against `none` and "
          "`tmr-pe` on the same fault lists with McNemar's exact p. Bounds are fitted on "
          "calibration images, which are disjoint from the test images. `gradient` is the "
          "paper's mode; the `tuned` schemes are ours, not the paper's. The oracle is no scheme: it "
          "zeroes exactly the struck neurons, also those whose flip would have done no harm. What "
          "each scheme is: [resilience.md](resilience.md).\n")
    print("## Answers\n")
    answer_tightness()
    answer_storage()
    answer_gating()
    answer_cost()
    answer_losses()
    print("## How tight thresholds are\n")
    print("Ratios: standard deviation of the differences over that of the sums. Thresholds in "
          "standard deviations of the sums, at the same share of false positives.\n")
    neighbour_tables()
    for part in STUDY:
        print(f"## Part {part}: fault-free\n")
        clean_tables(part)
        print(f"## Part {part}: under faults\n")
        fault_tables(part)
    print("## Single upsets by what they strike\n")
    breakdown_tables()


main()
