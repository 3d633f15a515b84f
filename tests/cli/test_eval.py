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

    def test_code_is_found_by_its_path_and_by_the_names_in_it(self):
        docs = [
            {"id": "a", "title": "src/net/retry.c", "text": "static int backoff_next(int n)\n{\n    return n * 2;\n}\n"},
            {"id": "b", "title": "src/disk/cache.c", "text": "static int lookup(int n)\n{\n    return backoff(n, next);\n}\n"},
            {"id": "c", "title": "", "text": "def wave_height(wind):\n    return wind\n"},
            {"id": "d", "title": "", "text": "def tide(moon):\n    return wave(height)\n"},
            {"id": "e", "path": "lib/pilot.txt", "symbol": "Harbour.enter", "lang": "python", "text": "pass\n"},
            {"id": "f", "title": "src/net", "text": "A folder is no file, and this title is part of the text."},
        ]
        queries = {"q1": ("disk", "b"), "q2": ("wave height", "c"), "q3": ("harbour", "e"), "q4": ("net", "f"), "q5": ("backoff next", "a")}
        self.write("corpus.jsonl", "".join(json.dumps(d) + "\n" for d in docs))
        self.write("queries.jsonl", "".join(json.dumps({"id": i, "text": q}) + "\n" for i, (q, _) in queries.items()))
        self.write("qrels.tsv", "".join("%s\t%s\t1\n" % (i, d) for i, (_, d) in queries.items()))
        out = self.dir / "out.trec"
        self.pythia("eval", "run", ".", "--mode", "lexical", "--run-file", str(out), code=0)
        best = {row.split()[0]: row.split()[2] for row in out.read_text().splitlines() if row.split()[3] == "1"}
        self.assertEqual({q: best[q] for q in ("q1", "q2", "q3", "q5")}, {q: queries[q][1] for q in ("q1", "q2", "q3", "q5")})
        self.assertIn("q4 Q0 f ", out.read_text())

    def test_sets_with_answers_tell_how_questions_are_answered(self):
        questions = [("q1", "how long is tomato soup simmered?", ["twenty minutes"], False),
                     ("q2", "how many sheets does the paper tray take?", ["fifty", "fifty sheets"], False),
                     ("q3", "who invented the zeppelin airship?", [], True)]
        self.write("queries.jsonl", "".join(json.dumps({"id": i, "text": t, "answers": a, "is_impossible": none}) + "\n"
                                            for i, t, a, none in questions))
        self.write("qrels.tsv", "q1\td1\t1\nq2\td2\t1\n")
        report = self.pythia("eval", "run", ".", code=0).json
        self.assertEqual(set(report), KEYS | {"abstain_auroc", "answer_em", "answer_f1", "answer_holds", "citation_precision"})
        self.assertEqual((report["abstain_auroc"], report["answer_holds"], report["citation_precision"]), (1, 1, 1))
        self.assertEqual(report["answer_em"], 0)  # a sentence is quoted
        # "tomato soup with basil simmered for twenty minutes": 2 of 8 words; "printers paper tray takes fifty sheets": 2 of 6
        self.assertAlmostEqual(report["answer_f1"], (2 * 2 / (8 + 2) + 2 * 2 / (6 + 2)) / 2, places=6)
        self.assertEqual(set(self.pythia("eval", "run", ".", "--answers", "0", code=0).json), KEYS)
        self.write("queries.jsonl", json.dumps({"id": "q1", "text": "soup", "answers": [1]}) + "\n")
        self.assertFails(self.pythia("eval", "run", "."), 2, "'answers' of 'q1' are not all texts")

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
