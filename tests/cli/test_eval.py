"""`eval run` on a tiny BEIR folder whose right answers can be counted by hand."""
import json
import unittest

from harness import PythiaTest, main

DOCS = {
    "d1": "Tomato soup with basil, simmered for twenty minutes.",
    "d2": "The printer's paper tray takes fifty sheets.",
    "d3": "Retry with exponential backoff after a failed request.",
    "d4": "Whales are the largest animals of the sea.",
}
QUERIES = {"q1": ("how to cook soup", "d1"), "q2": ("where does the paper go", "d2"), "q3": ("wait longer after each error", "d3")}
KEYS = {"ndcg_at_10", "recall_at_10", "recall_at_100", "mrr_at_10", "queries", "p50_ms"}


class Eval(PythiaTest):
    def setUp(self):
        super().setUp()
        self.write("corpus.jsonl", "".join(json.dumps({"_id": i, "title": "", "text": t}) + "\n" for i, t in DOCS.items()))
        self.write("queries.jsonl", "".join(json.dumps({"_id": i, "text": q}) + "\n" for i, (q, _) in QUERIES.items()))
        self.write("qrels.tsv", "query-id\tcorpus-id\tscore\n" + "".join("%s\t%s\t1\n" % (i, d) for i, (_, d) in QUERIES.items()))

    def test_the_keys_are_exactly_those_promised(self):
        for args in ([], ["--json"], ["--mode", "semantic"], ["--fusion", "rrf"]):
            report = self.pythia("eval", "run", ".", *args, code=0).json
            self.assertEqual(set(report), KEYS)
            self.assertEqual(report["queries"], 3)
            for key in ("ndcg_at_10", "recall_at_10", "recall_at_100", "mrr_at_10"):
                self.assertEqual(report[key], 1, (args, report))

    def test_the_run_file_is_trec(self):
        out = self.dir / "out.trec"
        self.pythia("eval", "run", str(self.tree), "--mode", "semantic", "--run-file", str(out), code=0)
        rows = [line.split() for line in out.read_text().splitlines()]
        self.assertTrue(all(len(r) == 6 and r[1] == "Q0" for r in rows))
        best = {r[0]: r[2] for r in rows if r[3] == "1"}
        self.assertEqual(best, {q: d for q, (_, d) in QUERIES.items()})

    def test_on_a_terminal_it_is_a_table(self):
        code, drawn = self.on_terminal("eval", "run", ".")
        self.assertEqual(code, 0)
        self.assertIn("nDCG@10     1.0000", drawn)

    def test_a_folder_that_is_no_set_names_the_file(self):
        (self.tree / "qrels.tsv").unlink()
        self.assertFails(self.pythia("eval", "run", "."), 2, "qrels.tsv")
        self.assertFails(self.pythia("eval", "run", "nowhere"), 2, "nowhere")


if __name__ == "__main__":
    main()
