"""`eval gate`: retrieval on a small set of our own is as good as it was, and the gate closes when it is not.

gate/ has the set (code in four languages and prose, questions that share few words with their answers) and what was measured.
When a change is meant to move the figures: build/pythia eval gate tests/cli/gate --baseline tests/cli/gate/baseline.json --update
"""
import json
import pathlib
import shutil
import unittest

from harness import PythiaTest, main

SET = pathlib.Path(__file__).resolve().parent / "gate"


class Gate(PythiaTest):
    def setUp(self):
        super().setUp()
        shutil.copytree(SET, self.tree / "set")
        self.baseline = self.tree / "set" / "baseline.json"

    def gate(self, *args, code=0):
        return self.pythia("eval", "gate", "set", "--baseline", str(self.baseline), *args, code=code)

    def test_retrieval_is_as_good_as_it_was(self):
        run = self.gate("--json")
        self.assertFalse(run.json["failed"], run.err)
        self.assertEqual(run.json["queries"], 32)
        self.assertGreater(run.json["ndcg_at_10"], 0.9)

    def test_a_loss_beyond_noise_closes_the_gate(self):
        run = self.gate("--mode", "lexical", "--json", code=10)  # words alone: these questions share few with their answers
        self.assertTrue(run.json["failed"])
        self.assertLess(run.json["p"], 0.05)
        self.assertGreater(run.json["worse"], 8)
        run = self.gate("--mode", "lexical", code=10)
        self.assertRegex(run.err, r"nDCG@10 fell from 0\.9\d+ to 0\.\d+, beyond noise; run: pythia eval gate")

    def test_one_query_less_is_noise_and_a_gain_is_none(self):
        base = json.loads(self.baseline.read_text())
        name = next(q for q, v in base["queries"].items() if v < 1)
        base["queries"][name] = min(1, base["queries"][name] + 0.01)
        self.baseline.write_text(json.dumps(base))
        self.assertFalse(self.gate("--json").json["failed"])
        base["queries"] = {q: v / 2 for q, v in base["queries"].items()}
        self.baseline.write_text(json.dumps(base))
        run = self.gate("--json")
        self.assertEqual((run.json["failed"], run.json["worse"], run.json["p"]), (False, 0, 1))

    def test_a_baseline_is_written_and_must_fit(self):
        self.gate("--update")
        self.assertEqual(self.gate("--json").json["worse"], 0)
        base = json.loads(self.baseline.read_text())
        base["queries"]["other"] = 1
        self.baseline.write_text(json.dumps(base))
        self.assertFails(self.gate(code=2), 2, "was made of other queries", "--update")
        self.baseline.write_text("{}")
        self.assertFails(self.gate(code=2), 2, "has no queries")
        self.baseline.unlink()
        self.assertFails(self.gate(code=2), 2, "baseline.json", "--update")
        self.assertFails(self.pythia("eval", "gate", "set"), 2, "--baseline")


if __name__ == "__main__":
    main()
