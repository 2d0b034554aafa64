"""scripts/findings: its report has all five findings, and its verdicts follow from the figures.

    python3 tests/cli/findings_test.py SAGITTA
"""
import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/findings"
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("findings", str(SCRIPT))
findings = importlib.util.module_from_spec(importlib.util.spec_from_loader("findings", loader))
loader.exec_module(findings)
SAGITTA = None


def entry(trials=1000, idle=0, **ended):
    """What a breakdown says of `trials` upsets, all of them masked that did not end otherwise."""
    e = {"tolerable": 0, "sdc": 0, "hang": 0, "uncorrected": 0, **ended}
    return {"trials": trials, "idle": idle, "corrected": 0, "masked": trials - sum(e.values()), **e}


def holds(verdicts):
    return [v["holds"] for v in verdicts]


class Wilson(unittest.TestCase):
    def test_is_that_of_the_results(self):
        p = findings.wilson(67, 5000)  # as results.json has it
        self.assertAlmostEqual(p["low"], 0.010565931089532108, places=12)
        self.assertAlmostEqual(p["high"], 0.01698119644339749, places=12)

    def test_of_nothing_says_nothing(self):
        self.assertFalse(findings.above(findings.wilson(0, 0), 0.0))
        self.assertFalse(findings.above(findings.wilson(5, 5), findings.wilson(0, 0)))

    def test_intervals_must_be_apart(self):
        self.assertFalse(findings.above(findings.wilson(6, 10), findings.wilson(4, 10)))
        self.assertFalse(findings.above(findings.wilson(6, 10), 0.5))
        self.assertTrue(findings.above(findings.wilson(600, 1000), findings.wilson(400, 1000)))
        self.assertTrue(findings.above(findings.wilson(600, 1000), 0.5))


class Footprints(unittest.TestCase):
    def test_shapes(self):
        for outputs, shape in (([], "none"), ([[3, 4]], "one element"),
                               ([[3, 4], [3, 6], [3, 5]], "row segment"),
                               ([[2, 4], [3, 4]], "column segment"),
                               ([[3, 4], [3, 6]], "other"), ([[2, 4], [4, 4]], "other"),
                               ([[3, 4], [4, 5]], "other"), ("hang", "other")):
            self.assertEqual(findings.shape(outputs), shape, outputs)

    def found(self, **changed):
        return [{"dataflow": d, "register": r, "shape": changed.get(f"{d}_{r}", shape), "exact": True}
                for d in ("os", "ws", "is") for r, shape in findings.EXPECTED.items()]

    def test_verdicts(self):
        self.assertEqual(holds(findings.footprint_verdicts(self.found())), [True] * 3)
        for wrong in ("column segment", "other", "none"):
            self.assertEqual(holds(findings.footprint_verdicts(self.found(ws_a=wrong))),
                             [True, False, True], wrong)
        self.assertEqual(holds(findings.footprint_verdicts(self.found(is_acc="row segment"))),
                         [True, True, False])
        self.assertEqual(holds(findings.footprint_verdicts([])), [False] * 3)


class Sums(unittest.TestCase):
    def verdicts(self, acc, a, b, high, low, other=None, changes=(2 ** 20, 2 ** 10)):
        registers = [{"register": f"array.pe[][].{n}", **e}
                     for n, e in (("acc", acc), ("a", a), ("b", b))]
        registers.append({"register": "control.sequencer.phase", **(other or entry())})
        bits = [{"register": "array.pe[][].acc", "bit": bit, **e}
                for bit, e in ((31, high), (0, low))]
        blocks = [{"block": "control", **(other or entry())}]
        found = [{"change": change, "register": r} for r, change in
                 zip(("acc", "a", "b"), (changes[0], changes[1], changes[1])) for _ in range(30)]
        return holds(findings.sum_verdicts({"registers": registers, "bits": bits, "blocks": blocks},
                                           found))

    def test_dominate(self):
        mild = entry(idle=500, tolerable=20)
        self.assertEqual(self.verdicts(entry(idle=500, tolerable=200, sdc=50), mild, mild,
                                       entry(tolerable=200, sdc=50), entry()), [True] * 8)

    def test_do_not_where_operands_do_the_harm(self):
        bad = entry(idle=500, tolerable=200, sdc=50)
        self.assertEqual(self.verdicts(entry(idle=500, tolerable=20), bad, bad, entry(),
                                       entry(tolerable=200, sdc=50), changes=(2 ** 14, 2 ** 15)),
                         [False] * 8)

    def test_control_may_take_the_majority(self):
        mild = entry(idle=500, tolerable=20)
        self.assertEqual(self.verdicts(entry(idle=500, tolerable=200, sdc=50), mild, mild,
                                       entry(tolerable=200, sdc=50), entry(),
                                       other=entry(tolerable=400, hang=100)),
                         [True, True, True, False, True, True, True, True])

    def test_few_events_decide_nothing(self):
        few = entry(trials=10, idle=5, tolerable=1)
        self.assertEqual(self.verdicts(few, few, few, few, few, changes=(0, 0)), [False] * 8)


class Control(unittest.TestCase):
    def verdict(self, control, array, bits=100):
        blocks = [{"block": "array", "bits": 1000 - bits, **array},
                  {"block": "control", "bits": bits, **control}]
        for b in blocks:
            b["avf"] = findings.wilson(findings.total([b], findings.FAILURES), b["trials"])
        figures = findings.control_figures(
            {"fault": {"bits": 1000}, "breakdown": {"blocks": blocks},
             "fit": {"raw_fit_per_mbit": {"flip_flop": 2.0 ** 20}}})
        return figures, findings.control_verdicts(figures)

    def test_verdicts(self):
        figures, verdicts = self.verdict(entry(sdc=30, hang=20), entry(sdc=50))
        self.assertEqual(holds(verdicts), [True])
        self.assertIn("5.0 times its share", verdicts[0]["why"])
        self.assertAlmostEqual(figures["fit"]["control"], 100 * 0.05)
        self.assertEqual(holds(self.verdict(entry(sdc=10), entry(sdc=90))[1]), [False])
        self.assertEqual(holds(self.verdict(entry(sdc=30, hang=20), entry(sdc=50), 500)[1]), [False])
        # What changes logits and no class is no failure.
        self.assertEqual(holds(self.verdict(entry(tolerable=500), entry(sdc=50))[1]), [False])


class Idle(unittest.TestCase):
    def verdicts(self, in_use, failures, n=10000):
        return holds(findings.idle_verdicts([{
            "array": {"rows": 8, "cols": 8},
            "avf": {"in_use": findings.wilson(in_use, n), "any": findings.wilson(failures, n),
                    "active": findings.wilson(failures, in_use)}}]))

    def test_verdicts(self):
        self.assertEqual(self.verdicts(2200, 200), [True, True])
        self.assertEqual(self.verdicts(6000, 200), [False, True])
        self.assertEqual(self.verdicts(9990, 200), [False, False])
        self.assertEqual(self.verdicts(2200, 0), [True, False])


class Permanent(unittest.TestCase):
    def verdicts(self, zero, one):
        """Right of 400 with 1, 4 and 64 stuck bits."""
        return holds(findings.permanent_verdicts(findings.permanent_figures([
            {"array": {"rows": 16, "cols": 16}, "fault": {"model": m, "upsets": n},
             "accuracy_under_faults": findings.wilson(right, 400),
             "accuracy_fault_free_same_draws": {"value": 1.0}}
            for m, rights in (("stuck-at-0", zero), ("stuck-at-1", one))
            for n, right in zip((1, 4, 64), rights)])))

    def test_verdicts(self):
        self.assertEqual(self.verdicts((398, 390, 100), (300, 120, 30)), [False, True, True])
        self.assertEqual(self.verdicts((300, 120, 30), (398, 390, 100)), [True, False, False])
        self.assertEqual(self.verdicts((398, 390, 390), (397, 120, 30)), [False, True, False])
        # A quarter of the PEs are not few.
        self.assertEqual(self.verdicts((398, 390, 380), (300, 290, 30)), [False, False, True])


class Report(unittest.TestCase):
    def test_has_all_five(self):
        with tempfile.TemporaryDirectory() as name:
            run = subprocess.run([SCRIPT, "--trials", "500", "-q", "--program", SAGITTA, "-o", name],
                                 text=True, capture_output=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            report = (pathlib.Path(name) / "findings.md").read_text()
        self.assertEqual(run.stdout.split(), report.split())
        for heading in ("1. Footprints", "2. Sums dominate", "3. Control", "4. Idle masking",
                        "5. Permanent faults"):
            self.assertIn(f"\n## {heading}\n", report)
        # A property of the schedule, and so of every flip: 5 each of 3 registers.
        for dataflow in ("os", "ws", "is"):
            self.assertRegex(report, rf"\*\*holds\*\*: {dataflow}: .*: 15 of 15 flips; .* \(15 of 15\)")
        self.assertIn("500 single upsets", report)
        self.assertEqual(report.count("hold**: ") + report.count("holds**: "), 3 + 8 + 1 + 4 + 3)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    SAGITTA = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
