"""`bench generate` on a tiny decoder whose tokens are known, `bench index` on vectors whose neighbours are."""
import json
import math
import pathlib
import random
import struct
import unittest

from harness import PythiaTest, main

GOLDEN = pathlib.Path(__file__).parent.parent / "golden" / "generate"
GENERATE_KEYS = {"prompt_tokens_per_s", "tokens_per_s", "first_token_ms", "open_ms", "rss_mb", "precision", "threads", "cpu",
                 "prompts", "prompt_tokens", "tokens"}
RUN_KEYS = {"kind", "params", "build_s", "build_cpu_s", "bytes_per_vector", "insert_us", "delete_us", "filtered_us",
            "filtered_recall", "recall_at_1", "recall_at_k", "qps", "p50_ms", "p99_ms", "cpu_us", "recomputed"}
TOKENS = 40


def npy(rows):
    """The bytes of a .npy file, version 1: float32, little-endian, rows one after the other."""
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (len(rows), len(rows[0]))
    header += " " * (-(len(header) + 11) % 64) + "\n"
    numbers = [x for row in rows for x in row]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack("<%df" % len(numbers), *numbers)


def fvecs(rows):
    return b"".join(struct.pack("<i%df" % len(row), len(row), *row) for row in rows)


def unit_rows(n, dim, seed):
    random_ = random.Random(seed)
    rows = [[random_.gauss(0, 1) for _ in range(dim)] for _ in range(n)]
    return [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in rows]


class Generate(PythiaTest):
    needs_model = False

    def setUp(self):
        super().setUp()
        lines = (GOLDEN / "gemma3.txt").read_text().splitlines()
        self.cases = [(json.loads(prompt), ids.split(","), [int(i) for i in next_.split(",")])
                      for prompt, ids, next_ in (line.split("\t") for line in lines)]
        self.write("prompts.jsonl", "".join(json.dumps({"text": prompt}) + "\n" for prompt, _, _ in self.cases))

    def bench(self, *args, **how):
        return self.pythia("bench", "generate", "--input", "prompts.jsonl", "--model", str(GOLDEN / "gemma3.gguf"), *args, **how)

    def test_the_keys_are_exactly_those_promised(self):
        for threads in (1, 2):
            report = self.bench("--tokens", "5", "--threads", str(threads), code=0).json
            self.assertEqual(set(report), GENERATE_KEYS)
            self.assertEqual(report["prompts"], len(self.cases))
            self.assertEqual(report["tokens"], 5 * len(self.cases))
            self.assertEqual(report["prompt_tokens"], sum(len(ids) for _, ids, _ in self.cases))
            self.assertEqual(report["threads"], threads)
            for key in ("prompt_tokens_per_s", "tokens_per_s", "first_token_ms", "open_ms", "rss_mb"):
                self.assertGreater(report[key], 0, key)
        self.assertEqual(self.bench("--tokens", "1", "--precision", "f32", code=0).json["precision"], "f32")

    def test_each_prompt_gets_the_tokens_of_the_reference(self):
        for threads in ("1", "2"):
            lines = self.bench("--each", "--tokens", str(TOKENS), "--threads", threads, "--precision", "f32", code=0).out
            *each, report = [json.loads(line) for line in lines.splitlines()]
            self.assertEqual(set(report), GENERATE_KEYS)
            self.assertEqual(len(each), len(self.cases))
            for got, (prompt, ids, want) in zip(each, self.cases):
                self.assertEqual(set(got), {"text", "prompt_tokens", "ids", "gaps"})
                self.assertEqual(got["ids"], want, prompt)
                self.assertEqual(got["prompt_tokens"], len(ids), prompt)
                self.assertEqual(len(got["gaps"]), TOKENS)
                self.assertTrue(all(gap >= 0 for gap in got["gaps"]))

    def test_without_tokens_there_are_64(self):
        self.write("prompts.jsonl", '{"text": "the"}\n\n')
        report = self.bench(code=0).json
        self.assertEqual((report["prompts"], report["tokens"]), (1, 64))

    def test_what_cannot_be_run_says_why(self):
        self.assertFails(self.pythia("bench", "generate"), 2, "--input is missing")
        self.assertFails(self.bench("--tokens", "0"), 2, "0 tokens are not possible, 1 to 65536 are")
        self.assertFails(self.bench("--tokens", "many"), 2, "--tokens cannot be 'many'")
        self.assertFails(self.bench("--input", "nowhere.jsonl"), 2, "nowhere.jsonl")
        self.assertFails(self.bench("--model", str(GOLDEN.parent / "tiny_bert.gguf")), 2, "does not generate texts")
        self.write("prompts.jsonl", '{"txt": "the"}\n')
        self.assertFails(self.bench(), 2, "line 1: the key 'text' is missing")
        self.write("prompts.jsonl", "\n")
        self.assertFails(self.bench(), 2, "has no texts")


class Index(PythiaTest):
    needs_model = False
    DIM = 64

    def setUp(self):
        super().setUp()
        self.base = unit_rows(600, self.DIM, 1)
        # The nearest row of each query is known: the one it was made of.
        noise = unit_rows(20, self.DIM, 2)
        self.queries = [[x + 0.1 * y for x, y in zip(self.base[29 * i], noise[i])] for i in range(20)]
        self.write("base.npy", npy(self.base))
        self.write("queries.npy", npy(self.queries))

    def bench(self, *args, base="base.npy", queries="queries.npy", **how):
        return self.pythia("bench", "index", "--base", base, "--queries", queries, *args, **how)

    def test_the_keys_are_exactly_those_promised(self):
        report = self.bench("--kind", "flat", code=0).json
        self.assertEqual(set(report), {"runs"})
        self.assertGreater(len(report["runs"]), 1)
        efforts = [run["params"]["effort"] for run in report["runs"]]
        self.assertEqual(efforts, sorted(set(efforts)))
        for run in report["runs"]:
            self.assertEqual(set(run), RUN_KEYS)
            self.assertEqual(run["kind"], "flat")
            self.assertLessEqual(run["p50_ms"], run["p99_ms"])
            self.assertGreater(run["qps"], 0)
            for cost in ("build_cpu_s", "insert_us", "delete_us", "filtered_us", "cpu_us"):
                self.assertGreater(run[cost], 0, cost)
            self.assertEqual(run["filtered_recall"], 1)  # six rows pass: they are compared one by one
        self.assertGreaterEqual(report["runs"][-1]["recall_at_1"], 0.95)
        self.assertGreaterEqual(report["runs"][-1]["recall_at_k"], 0.95)

    def test_the_exact_kind_finds_all_in_one_run(self):
        runs = self.bench("--kind", "exact", code=0).json["runs"]
        self.assertEqual(len(runs), 1)
        self.assertEqual((runs[0]["recall_at_1"], runs[0]["recall_at_k"]), (1, 1))
        self.assertGreaterEqual(runs[0]["bytes_per_vector"], 4 * self.DIM)

    def test_without_a_kind_all_are_measured(self):
        kinds = {run["kind"] for run in self.bench(code=0).json["runs"]}
        self.assertLessEqual({"exact", "flat", "hnsw", "ivfpq", "compact"}, kinds)

    def test_rows_of_f32_cost_their_bytes_and_find_all(self):
        runs = [self.bench("--kind", "flat", *how, code=0).json["runs"][-1] for how in ((), ("--keep-f32",))]
        self.assertAlmostEqual(runs[1]["bytes_per_vector"] - runs[0]["bytes_per_vector"], 4 * self.DIM, delta=1)
        self.assertEqual(runs[1]["recall_at_k"], 1)

    def test_fvecs_are_read_like_npy(self):
        self.write("base.fvecs", fvecs(self.base))
        self.write("queries.fvecs", fvecs(self.queries))
        for k in ("1", "7"):
            both = [self.bench("--kind", "flat", "--k", k, base="base" + end, queries="queries" + end, code=0).json["runs"]
                    for end in (".npy", ".fvecs")]
            for key in ("recall_at_1", "recall_at_k", "bytes_per_vector"):
                self.assertEqual(*[[run[key] for run in runs] for runs in both], key)

    def test_nothing_is_left_behind(self):
        self.bench("--kind", "flat", code=0)
        self.assertEqual([p.name for p in self.home.iterdir() if p.name.startswith("bench-")], [])
        self.write("few.npy", npy([row[:8] for row in self.queries]))
        self.assertFails(self.bench(queries="few.npy"), 2, "'few.npy' has 8 dimensions, 'base.npy' has 64")
        self.assertEqual([p.name for p in self.home.iterdir() if p.name.startswith("bench-")], [])

    def test_files_that_are_none_say_so(self):
        whole = npy(self.base)
        self.write("cut.npy", whole[:-4])
        self.assertFails(self.bench(base="cut.npy"), 2, "its shape (600, 64) says otherwise")
        self.write("text.npy", "hello")
        self.assertFails(self.bench(base="text.npy"), 2, "text.npy")
        self.write("base.csv", "1,2,3\n")
        self.assertFails(self.bench(base="base.csv"), 2, "is neither .npy nor .fvecs")
        self.write("odd.fvecs", fvecs(self.base)[:-2])
        self.assertFails(self.bench(base="odd.fvecs"), 2, "are no whole rows of 64 numbers")
        self.write("nan.npy", npy([[math.nan] * self.DIM] + self.base))
        self.assertFails(self.bench(base="nan.npy"), 2, "row 0 of 601 to add is not finite")
        self.assertFails(self.bench(base="nowhere.npy"), 2, "nowhere.npy")
        self.assertFails(self.pythia("bench", "index", "--base", "base.npy"), 2, "--queries is missing")
        self.assertFails(self.pythia("bench", "index", "--queries", "base.npy"), 2, "--base is missing")

    def test_options_are_checked(self):
        self.assertFails(self.bench("--kind", "quick"), 2, "quick")
        for k in ("0", "1001", "ten"):
            self.assertFails(self.bench("--k", k), 2, "--k cannot be '%s'" % k)


if __name__ == "__main__":
    main()
