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


VERDICTS = ("superior", "not told apart", "inferior")


def verdict(a, b):
    if not apart(a, b):
        return "not told apart"
    return "superior" if a["value"] > b["value"] else "inferior"


def neuron_plans():
    """(part, network, plan, {scheme: configuration}) of neurons and weights."""
    for part, networks in STUDY.items():
        for network, results in networks.items():
            for name in plans(results):
                here = by_scheme(of_plan(results, name))
                if next(iter(here.values()))["fault"]["level"] != "register":
                    yield part, network, name, here


def declared_rows(first, second):
    rows = []
    for _, network, name, here in neuron_plans():
        if first in here and second in here:
            a, b = (here[s]["accuracy_under_faults"] for s in (first, second))
            none = here["none"]["accuracy_under_faults"]
            rows.append([network, name, with_interval(none), here[first]["threshold_bytes"],
                         with_interval(a), here[second]["threshold_bytes"], with_interval(b),
                         verdict(a, b), apart(none, a) or apart(none, b)])
    return rows


DECLARED_HEADER = ["network", "faults", "none", "bytes", "ours", "bytes", "rival", "verdict"]


def answer_declared(first, second):
    rows = declared_rows(first, second)
    if not rows:
        return
    ends = {v: sum(r[-2] == v for r in rows) for v in VERDICTS}
    silent = sum(not r[-1] for r in rows)
    print(f"Fixed beforehand: `{first}` (ours, bounds a layer, behind the row gate) against "
          f"`{second}` (extremes, no gate), which keeps more bytes. It is superior, with intervals "
          f"that do not overlap, in {ends['superior']} of {len(rows)} plans, inferior in "
          f"{ends['inferior']}, else not told apart; in {silent} of them neither can be told apart "
          f"from `none`, so that they say nothing "
          f"([all of them](#comparisons-fixed-beforehand)):\n")
    told = [r[:-1] for r in rows if r[-2] != "not told apart"]
    if told:
        print(table(DECLARED_HEADER, told, left=2))


def declared_tables():
    for first in DECLARED[0]:
        rows = declared_rows(first, DECLARED[1])
        if rows:
            print(f"### {first} against {DECLARED[1]}\n")
            print(table(DECLARED_HEADER, [r[:-1] for r in rows], left=2))


def rivals():
    """Each range and median scheme with the best of the gradient schemes that keep no more bytes."""
    for _, network, name, here in neuron_plans():
        gradients = [c for c in here.values()
                     if "gradient" in c["scheme"] or "tuned" in c["scheme"]]
        for rival in here.values():
            if not rival["scheme"].startswith(("range-zero", "median")):
                continue
            # A median filter has none to compare with.
            fair = [c for c in gradients if rival["threshold_bytes"] == 0 or
                    c["threshold_bytes"] <= rival["threshold_bytes"]]
            if fair:
                yield network, name, rival, max(
                    fair, key=lambda c: c["accuracy_under_faults"]["value"])


def rival_table():
    rows = []
    for network, name, rival, best in rivals():
        a, b = best["accuracy_under_faults"], rival["accuracy_under_faults"]
        rows.append([network, name, rival["scheme"], rival["threshold_bytes"], with_interval(b),
                     best["scheme"], best["threshold_bytes"], with_interval(a), verdict(a, b)])
    print(table(["network", "faults", "rival", "bytes", "accuracy", "best gradient scheme", "bytes",
                 "accuracy", "verdict"], rows, left=3))


def answer_storage():
    print("**2. Is accuracy comparable or superior to range and median at equal or less threshold "
          "storage?**\n")
    for first in DECLARED[0]:
        answer_declared(first, DECLARED[1])
    tally = {}
    for _, name, rival, best in rivals():
        kind = "median" if rival["scheme"].startswith("median") else "range"
        ends = tally.setdefault((rival["fault"]["values"] or "weights", kind),
                                dict.fromkeys(VERDICTS, 0))
        ends[verdict(best["accuracy_under_faults"], rival["accuracy_under_faults"])] += 1
    print("With hindsight, and so an optimistic figure: the best gradient scheme with at most the "
          "rival's storage is superior where its interval lies above the rival's, inferior where it "
          "lies below, and else not told apart ([all of them](#best-with-hindsight)):\n")
    print(table(["values", "rival", "comparisons", *VERDICTS],
                [[values, kind, sum(ends.values()), *ends.values()]
                 for (values, kind), ends in tally.items()], left=2))
    if any(values == "fp32" for values, _ in tally):
        print("fp32 is a study in software beside the hardware: float32 sums, the same neurons and "
              "bits as int32, an exact detector behind the gates; no unit whose cost could be "
              "counted. Maps are not among its schemes.\n")


def clean_changes():
    """{scheme: [points against none]} over all parts and networks."""
    changes = {}
    for networks in STUDY.values():
        for results in networks.values():
            none = by_scheme(results["configurations"])["none"]["accuracy"]["value"]
            for scheme, c in by_scheme(results["configurations"]).items():
                changes.setdefault(scheme, []).append(100 * (c["accuracy"]["value"] - none))
    return changes


def answer_gating():
    print("**3. Does gating keep the clean accuracy, and how much does its granularity matter?**\n")
    rows = []
    for _, network, name, here in neuron_plans():
        gated = [here.get(f"tuned gate {g}") for g in ("always", "row", "layer")]
        if None in gated:
            continue
        none = here["none"]["accuracy"]["value"]
        rows.append([network, name] + [
            f"{with_interval(c['accuracy_under_faults'])} "
            f"({100 * (c['accuracy']['value'] - none):+.1f})" for c in gated])
    means = {}
    for _, _, _, here in neuron_plans():
        for g in ("always", "row", "layer"):
            if f"tuned gate {g}" in here:
                c = here[f"tuned gate {g}"]
                means.setdefault(g, []).append(
                    (100 * (c["accuracy"]["value"] - here["none"]["accuracy"]["value"]),
                     100 * c["accuracy_under_faults"]["value"]))
    if means:
        worst = {g: min(change for change, _ in v) for g, v in means.items()}
        average = {g: sum(a for _, a in v) / len(v) for g, v in means.items()}
        print("The subject is the tuned unit with bounds a channel, along lines, at a share of 0.001 "
              "false positives, behind each gate. Without faults a gate does not open, so that it "
              "keeps the clean accuracy by construction; without a gate it changes by up to "
              f"{worst['always']:+.1f} points. Under faults the plans' mean accuracy is "
              + ", ".join(f"{v:.1f} % ({g})" for g, v in average.items())
              + ". Accuracy under faults, and in brackets the change of the clean accuracy in "
              "points:\n")
    print(table(["network", "faults", "always", "row", "layer"], rows, left=2))
    within, outside = [], []
    for scheme, changes in clean_changes().items():
        worst = min(changes, key=lambda change: (-abs(change), change))
        if scheme in ("none", "oracle"):
            continue
        (within if abs(worst) <= 0.2 + 1e-9 else outside).append((scheme, worst))
    print("Clean accuracy within 0.2 points of `none` on every network and in every part: "
          + ", ".join(f"`{s}`" for s, _ in within) + ".\n")
    print("Not so, with the worst change: "
          + (", ".join(f"`{s}` {w:+.1f}" for s, w in outside) or "none") + ".\n")


def answer_cost():
    own = [(network, results, name) for networks in STUDY.values()
           for network, results in networks.items() for name in plans(results)
           if any("absolute_failures" in c for c in of_plan(results, name))]
    if not own:
        return
    print("**4. What does the unit cost beside TMR, DMR and checksums, and how many absolute "
          "failures remain?** N x p: the bits and cycles that an upset may hit (N, of each machine's "
          "own population, the unit's and the copies' registers among them) times the share of upsets "
          "that end so (p), in 10^6 bits x cycles; times a rate of upsets a bit and cycle these are "
          "failures an inference. Told to the host: no result, but no wrong one either. Hardened "
          "cells are taken as never upset.\n")
    for network, results, name in own:
        here = by_scheme(of_plan(results, name))
        none = here["none"]["absolute_failures"]["sdc"]
        ends = {"fewer": [], "more": []}
        for scheme, c in here.items():
            a = c["absolute_failures"]["sdc"]
            if apart(a, none):
                ends["fewer" if a["value"] < none["value"] else "more"].append(f"`{scheme}`")
        print(f"- {network}, {name}: fewer wrong classes than `none`, intervals apart: "
              f"{', '.join(ends['fewer']) or 'no scheme'}; more: {', '.join(ends['more']) or 'none'}; "
              "the others are not told apart.")
    print()
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
    rows = []
    highest = {(part, network): (name, here) for part, network, name, here in neuron_plans()}
    for (_, network), (name, here) in highest.items():
        for scheme in ("gradient", "gradient near", "tuned layer", "tuned map layer", "gradient-tuned"):
            if scheme not in here or sum(here[scheme]["suppressions"].values()) == 0:
                continue
            c = here[scheme]
            right, wrong = c["suppressions"]["right"], c["suppressions"]["wrong"]
            rows.append([network, name, scheme, c["faults_fired"], right, wrong,
                         percent(right / (right + wrong)), percent(right / c["faults_fired"])])
    if not rows:
        return
    print("*Why.* What the checkers replaced, at each part's highest rate: right where a fault had "
          "changed the value, wrong where it was as without faults.\n")
    print(table(["network", "faults", "scheme", "faults fired", "replaced, right", "wrong",
                 "right, % of replaced", "% of faults"], rows, left=3))
    print("""- Differences between channels in their natural order vary more than the values themselves
  (answer 1), so that the paper's mode has wider thresholds than a range checker and lets more
  faults pass: of int8 and fp32 faults it replaces hardly any. An order of channels helps, and
  neighbours in the map more.
- A dense layer has no lines and no map: what is left are channels beside each other, which are
  related only as far as their order makes them. There the share of right replacements is lowest,
  and a healthy output that becomes zero is a fault more.
- A flip of the control, of addresses or of requantisation changes many values alike; no
  comparison with neighbours sees that, and the unit's own registers are hit as well: at the register
  level it does not pay (answer 4).
- In int32 sums most harmful flips are in the high bits, where a range checker needs no neighbours;
  what remains for the gradient is small, and its bounds cost as much again.
""")


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


def shares():
    """{part: [schemes with the share of false positives that their bounds are fitted for]}."""
    told = {}
    for part, options in json.loads(pathlib.Path(CONFIG).read_text())["parts"].items():
        for scheme in options["scheme"]:
            kind = scheme if isinstance(scheme, str) else scheme["kind"]
            options_of = {} if isinstance(scheme, str) else scheme
            name = options_of.get("name", kind)
            if kind == "gradient-tuned" or "false_positives" in options_of:
                share = options_of.get("false_positives", 0.001)
                told.setdefault(part, {}).setdefault(share, []).append(f"`{name}`")
    return told


def parts_table():
    rows = []
    for part, networks in STUDY.items():
        for name in plans(next(iter(networks.values()))):
            c = of_plan(next(iter(networks.values())), name)[0]
            rows.append([part, name, c["trials"], c["fault"]["seed"], len(networks)])
    print(table(["part", "faults", "trials a scheme and network", "seed", "networks"], rows, left=2))


SHORT = ("none", "range-zero channel", "range-zero channel quantile row", "range-zero neuron",
         "gradient", "tuned layer", "tuned map layer", "oracle")
SHORT_REGISTERS = ("none", "range-zero", "gradient", "tuned layer", "checksum-recompute",
                   "dmr-recompute", "tmr-pe", "hardened")


def in_short():
    """The figures that a reader in a hurry wants, each read from the data."""
    print("## In short\n")
    layers = all_fits("sum")
    if layers:
        counts = []
        for choice, rule, words in (("lanes", "both", "channels in natural order"),
                                    ("lanes in near order", "both", "in near order"),
                                    ("line", "spike", "pixels along a line (spikes)"),
                                    ("map", "three", "the pixels around in the map")):
            b, n = tighter(layers, (choice, rule))
            counts.append(f"{words} {b} of {n}")
        share = next(iter(neighbours().values()))[0]["false_positives"]
        print("Layers whose gradient threshold on int32 sums is tighter than the value's, both at a "
              f"share of {share:g} false positives: " + ", ".join(counts) + ".\n")
    networks, cells = [], {}
    for _, network, name, here in neuron_plans():
        f = here["none"]["fault"]
        if f["values"] != "int8" or f["rate"] < 0.1:
            continue
        networks.append(network)
        for scheme in SHORT:
            if scheme in here:
                c = here[scheme]
                cells.setdefault(scheme, {})[network] = (
                    f"{with_interval(c['accuracy_under_faults'])} ({c['threshold_bytes']:,})")
    if networks:
        print("Accuracy with int8 outputs flipped at a rate of 0.1, a stress rate at which schemes can "
              "be told apart, and in brackets the bytes of thresholds:\n")
        print(table(["scheme", *networks],
                    [[f"`{s}`", *[row.get(n, "-") for n in networks]] for s, row in cells.items()]))
    networks, cells = [], {}
    for _, found in STUDY.items():
        for network, results in found.items():
            here = by_scheme([c for c in results["configurations"] if "absolute_failures" in c])
            if "tmr-pe" not in here:
                continue
            networks.append(network)
            for scheme in SHORT_REGISTERS:
                if scheme in here:
                    f = here[scheme]["absolute_failures"]["sdc"]
                    cells.setdefault(scheme, {})[network] = (
                        f"{f['value'] / 1e6:.2f} [{f['low'] / 1e6:.2f}, {f['high'] / 1e6:.2f}] "
                        f"({overhead(here[scheme]['overhead']['area'])})")
    if networks:
        print("Wrong classes that remain for one upset in logic, N x p in 10^6 bits x cycles "
              "([answer 4](#answers)), and in brackets the area in % of the unprotected machine; "
              "hardened cells are taken as never upset:\n")
        print(table(["scheme", *networks],
                    [[f"`{s}`", *[row.get(n, "-") for n in networks]] for s, row in cells.items()]))


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
    in_short()
    print("## What was run, and how to read it\n")
    parts_table()
    print("Shares of fault-free neurons that bounds may blame, where they are fitted to one: "
          + "; ".join(f"{part}: " + ", ".join(f"{share:g} {', '.join(names)}"
                                              for share, names in found.items())
                      for part, found in shares().items() if part in STUDY) + ".\n")
    print("- One seed a plan, the same for all networks and rates: how much another seed would change "
          "is in no interval. Trials on the same image are not independent, which makes intervals "
          "a little too narrow.\n"
          "- *Not told apart*: the intervals of two accuracies overlap. It does not say that they are "
          "equal. Paired tests (McNemar) are against `none` and `tmr-pe`; p is not corrected for how "
          "many there are.\n"
          "- Calibration images are of the training set, for bounds and for orders of channels.\n"
          "- At low rates hardly any scheme can be told from `none`; rates of 0.1 are stress, not "
          "an environment.\n")
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
    print("## Comparisons fixed beforehand\n")
    declared_tables()
    print("## Best with hindsight\n")
    rival_table()


main()
