"""Reranking as a Unix filter, with the golden cross-encoder (tests/golden/arch/rank.gguf: random weights, so that its order
means nothing, but every number does)."""
import json
import math
import pathlib
import subprocess
import unittest

from harness import BINARY, MODEL_NAME, PythiaTest, main

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "arch" / "rank.gguf"
QUERY = "open the file"
# By transformers in double precision: BertForSequenceClassification and BertTokenizer on the pair.
LOGITS = {
    "read the file": 0.29714337182215506,
    "open the file": 1.5654723019247023,
    "retry with back off on error": 1.4205147263235909,
}
MEMBERS = {"index", "score", "logit", "tokens", "truncated"}


class Rerank(PythiaTest):
    def setUp(self):
        super().setUp()
        (self.home / "models" / "rank.gguf").symlink_to(GOLDEN)

    def rank(self, *args, stdin=None, code=0, model="rank"):
        stdin = stdin if stdin is None or isinstance(stdin, bytes) else stdin.encode()
        run = self.pythia("rerank", "--model", model, *args, stdin=stdin, code=code)
        return [json.loads(line) for line in run.out.splitlines()], run.err

    def lines(self, texts):
        return "".join(json.dumps({"text": t}) + "\n" for t in texts)

    def test_scores_are_those_of_the_reference_and_the_best_comes_first(self):
        texts = list(LOGITS)
        for answers, err in (self.rank(QUERY, *texts), self.rank(QUERY, "-", stdin=self.lines(texts)),
                             self.rank(QUERY, stdin=self.lines(texts))):
            self.assertEqual([texts[a["index"]] for a in answers], sorted(texts, key=LOGITS.get, reverse=True))
            for a in answers:
                self.assertEqual(set(a), MEMBERS)
                self.assertAlmostEqual(a["logit"], LOGITS[texts[a["index"]]], places=5)
                self.assertAlmostEqual(a["score"], 1 / (1 + math.exp(-a["logit"])), places=7)
                self.assertFalse(a["truncated"])
            self.assertEqual(err, "")
        self.assertEqual({a["index"]: a["tokens"] for a in answers}, {0: 9, 1: 9, 2: 18})

    def test_many_texts_score_as_single_ones_and_ties_keep_their_order(self):
        texts = ["the file %d" % i for i in range(150)] + ["", "the file 7"]
        answers, _ = self.rank(QUERY, "-", stdin=self.lines(texts))
        self.assertEqual(sorted(a["index"] for a in answers), list(range(152)))
        logits = [a["logit"] for a in answers]
        self.assertEqual(logits, sorted(logits, reverse=True))
        places = [a["index"] for a in answers]
        self.assertEqual(places.index(151), places.index(7) + 1)
        for i in (0, 63, 64, 149, 150):
            one, _ = self.rank(QUERY, "--", texts[i])
            self.assertEqual(one[0]["logit"], next(a["logit"] for a in answers if a["index"] == i))

    def test_top_keeps_the_best(self):
        texts = list(LOGITS)
        answers, _ = self.rank(QUERY, *texts, "--top", "2")
        self.assertEqual([texts[a["index"]] for a in answers], ["open the file", "retry with back off on error"])
        self.assertEqual(len(self.rank(QUERY, *texts, "--top", "9")[0]), 3)
        for bad in ("0", "-1", "many"):
            self.assertFails(self.pythia("rerank", QUERY, "a", "--top", bad, "--model", "rank"), 2, "--top", bad)

    def test_ids_of_any_kind_come_back(self):
        ids = ["a", 7, None, [1, {"x": 2}], "\u00fc\u0000"]
        text = "".join(json.dumps({"id": i, "text": "text %d" % k}) + "\n" for k, i in enumerate(ids))
        answers, _ = self.rank(QUERY, "-", stdin=text)
        self.assertEqual([a["id"] for a in sorted(answers, key=lambda a: a["index"])], ids)

    def test_bad_lines_come_last_and_name_themselves(self):
        text = b'{"id": 1, "text": 5}\n{"text": "open the file"}\nnot json\n{"id": 4}\n[1]\n{"text": "\xff"}\n'
        answers, err = self.rank(QUERY, "-", "--top", "1", stdin=text, code=9)
        self.assertEqual([a["index"] for a in answers], [1, 0, 2, 3, 4, 5])
        self.assertEqual(["error" in a for a in answers], [False] + [True] * 5)
        for a, number in zip(answers[1:], (1, 3, 4, 5, 6)):
            self.assertIn("line %d" % number, a["error"]["message"])
            self.assertIn("line %d" % number, err)
        self.assertEqual((answers[1]["id"], answers[3]["id"]), (1, 4))
        self.assertIn("5 of 6 lines could not be read", err)

    def test_the_envelope_has_results_and_errors(self):
        run = self.pythia("rerank", QUERY, "-", "--json", "--model", "rank", code=9,
                          stdin=b'{"text": "read the file"}\noops\n{"text": "open the file"}\n').json
        self.assertEqual((run["status"], run["query"]), ("ok", QUERY))
        self.assertEqual([r["index"] for r in run["results"]], [2, 0])
        self.assertEqual([e["index"] for e in run["errors"]], [1])
        self.assertEqual(run, self.pythia("rerank", QUERY, "-", "--format", "json", "--model", "rank", code=9,
                                          stdin=b'{"text": "read the file"}\noops\n{"text": "open the file"}\n').json)
        failed = self.pythia("rerank", QUERY, "a", "--json", "--model", MODEL_NAME, code=2).json
        self.assertEqual(failed["error"]["code"], "unsupported")

    def test_no_lines_give_no_lines(self):
        self.assertEqual(self.rank(QUERY, "-", stdin=""), ([], ""))
        self.assertEqual(self.rank(QUERY, "-", stdin="\n \n"), ([], ""))
        self.assertEqual(self.rank("-", stdin=""), ([], ""))

    def test_pairs_stream_in_their_order(self):
        process = subprocess.Popen([BINARY, "rerank", "-", "--model", "rank"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env)
        for i, (text, logit) in enumerate(LOGITS.items()):
            process.stdin.write(json.dumps({"id": i, "query": QUERY, "text": text}).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            self.assertEqual((answer["id"], answer["index"]), (i, i))
            self.assertAlmostEqual(answer["logit"], logit, places=5)
        process.stdin.write(b'{"text": "no query"}\n')
        process.stdin.close()
        self.assertIn("line 4: the key 'query' is missing", json.loads(process.stdout.read())["error"]["message"])
        process.stdout.close()
        self.assertEqual(process.wait(), 9)
        pairs = [(q, t) for q in ("a", "b", "a") for t in ("c", "d")]
        text = "".join(json.dumps({"query": q, "text": t}) + "\n" for q, t in pairs)
        answers, _ = self.rank("-", stdin=text)
        self.assertEqual([a["index"] for a in answers], list(range(6)))
        for (q, t), a in zip(pairs, answers):
            self.assertEqual(self.rank(q, t)[0][0]["logit"], a["logit"])
        self.assertFails(self.pythia("rerank", "-", "--top", "1", stdin=b""), 2, "--top needs one query")

    def test_texts_too_long_are_cut_and_told(self):
        answers, err = self.rank(QUERY, "word " * 100, "short")
        self.assertEqual({a["index"]: a["truncated"] for a in answers}, {0: True, 1: False})
        self.assertEqual(max(a["tokens"] for a in answers), 40)
        self.assertIn("1 of 2 texts were longer than the model takes", err)

    def test_a_terminal_shows_scores_and_first_lines(self):
        code, drawn = self.on_terminal("rerank", QUERY, "read the file", "\n\n open\x1b the file \nmore", "--model", "rank",
                                       "--no-color")
        self.assertEqual(code, 0)
        rows = drawn.replace("\r\n", "\n").splitlines()
        self.assertEqual(len(rows), 2)
        self.assertRegex(rows[0] + rows[1], r"0\.574  0  read the file")
        self.assertTrue(any(row.endswith("  1  open\u241b the file") for row in rows), rows)
        code, drawn = self.on_terminal("rerank", QUERY, "x" * 500, "--model", "rank", "--no-color", columns=40)
        self.assertLessEqual(len(drawn.strip()), 40)
        code, drawn = self.on_terminal("rerank", QUERY, "--model", "rank")
        self.assertEqual(code, 2)
        self.assertIn("no text given", drawn)

    def test_models_that_are_missing_or_no_rerankers(self):
        self.assertFails(self.pythia("rerank", QUERY, "a"), 7, "there is no model 'ms-marco-minilm-l6-v2'",
                         "run: pythia model pull cross-encoder/ms-marco-MiniLM-L6-v2 --name ms-marco-minilm-l6-v2")
        self.assertFails(self.pythia("rerank", QUERY, "a", "--model", "nope"), 7, "there is no model 'nope'")
        self.assertFails(self.pythia("rerank", QUERY, "a", "--model", MODEL_NAME), 2, "is not a reranker")
        self.assertFails(self.pythia("embed", "a", "--model", "rank"), 2, "is a reranker, it cannot embed")
        self.assertFails(self.pythia("rerank", " ", "a", "--model", "rank"), 2, "the query is empty")
        self.assertFails(self.pythia("rerank"), 2, "rerank")

    def test_the_model_may_be_configured(self):
        self.pythia("config", "set", "model.rerank", "rank", code=0)
        self.assertAlmostEqual(self.pythia("rerank", QUERY, "read the file", code=0).json["logit"],
                               LOGITS["read the file"], places=5)
        self.assertAlmostEqual(self.pythia("rerank", QUERY, "read the file", "--config", "model.precision=fast",
                                           code=0).json["logit"], LOGITS["read the file"], places=5)


if __name__ == "__main__":
    main()
