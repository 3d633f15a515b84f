"""`model distill`: a static table out of a model, and that table wherever a model may stand.

What can be shown with a tiny network is; the real model is distilled once, for what its table is good for.
"""
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import BINARY, LIMIT_S, MODEL, PythiaTest, file_size_limit, main

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"


class Tiny(PythiaTest):
    """With the golden networks alone."""
    needs_model = False

    def setUp(self):
        super().setUp()
        self.models = self.home / "models"
        for name, file in (("tiny", "tiny_bert.gguf"), ("ranker", "arch/rank.gguf")):
            shutil.copy(GOLDEN / file, self.models / (name + ".gguf"))
        # A model that only writes: nothing says how its tokens become a vector.
        writer = (GOLDEN / "arch/gemma3.gguf").read_bytes()
        self.assertIn(b"gemma3.pooling_type", writer)
        (self.models / "writer.gguf").write_bytes(writer.replace(b"gemma3.pooling_type", b"gemma3.pooling_none"))

    def files(self):
        return sorted(p.name for p in self.models.iterdir() if not p.name.endswith(".sha256"))

    def distill(self, *args, code=0, **how):
        return self.pythia("model", "distill", *args, code=code, **how)

    def vector(self, model, text):
        return self.pythia("embed", "--model", model, "--", text, code=0).json

    def test_a_table_is_a_model_like_any_other(self):
        made = self.distill("tiny", "--json").json
        self.assertEqual((made["tokens"], made["passages"]), (90, 0))
        self.assertEqual(made["model"]["name"], "tiny-static")
        self.assertTrue(0.99 < made["explained"] <= 1.0001, made)
        listed = {m["name"]: m for m in self.pythia("model", "list", "--json", code=0).json["models"]}
        table = listed["tiny-static"]
        self.assertEqual(table["sha256"], made["model"]["sha256"])
        self.assertEqual((table["arch"], table["parent"], table["tensor_types"]), ("pythia-static", "tiny", "F16"))
        self.assertEqual((table["dimension"], table["max_tokens"], table["pooling"]), (24, 33, "mean"))
        self.assertIsNone(listed["tiny"]["parent"])
        self.assertIn("PARENT", self.pythia("model", "list", code=0).out)
        self.pythia("model", "verify", "tiny-static", code=0)
        text = "read the file, error (42)"
        self.assertEqual(self.pythia("tokenize", "--model", "tiny-static", text, code=0).out,
                         self.pythia("tokenize", "--model", "tiny", text, code=0).out)
        one = self.vector("tiny-static", text)
        self.assertEqual(one["dimension"], 24)
        self.assertAlmostEqual(math.fsum(x * x for x in one["embedding"]), 1, places=5)

    def test_what_was_made_is_told_with_the_next_command(self):
        run = self.distill("tiny", "--name", "quick", "--dimensions", "8")
        self.assertIn("quick", run.out)
        self.assertIn("pythia index --model quick", run.err)
        self.assertEqual(self.vector("quick", "the file")["dimension"], 8)

    def test_a_folder_is_indexed_and_searched_with_a_table(self):
        self.distill("tiny")
        self.write("a.txt", "the file was open and read\n")
        self.write("b.txt", "retry with back off after an error\n")
        self.assertEqual(self.index("--model", "tiny-static")["embedded"], 2)
        self.assertEqual(self.paths("back off and retry", "--mode", "semantic")[0], "b.txt")
        self.assertEqual(self.paths("open the file", "--mode", "semantic")[0], "a.txt")
        self.assertEqual(len(self.paths("\u2603", "--mode", "semantic")), 2)  # unknown to it: nothing is nearer

    def test_the_same_file_comes_again_with_any_number_of_threads(self):
        sums = set()
        for threads in ("1", "2", "3"):
            made = self.distill("tiny", "--force", "--json", "--config", "model.threads=" + threads).json
            sums.add(made["model"]["sha256"])
        sums.add(self.distill("tiny", "--force", "--json", "--config", "model.precision=fast").json["model"]["sha256"])
        self.assertEqual(len(sums), 1)

    def test_a_model_is_replaced_only_by_force(self):
        self.distill("tiny")
        before = (self.models / "tiny-static.gguf").read_bytes()
        run = self.distill("tiny", "--dimensions", "8", code=2)
        self.assertFails(run, 2, "'tiny-static'", "already", "pythia model distill tiny --name tiny-static --force")
        self.assertEqual((self.models / "tiny-static.gguf").read_bytes(), before)
        self.distill("tiny", "--dimensions", "8", "--force")
        self.assertNotEqual((self.models / "tiny-static.gguf").read_bytes(), before)
        self.assertFails(self.distill("tiny", "--name", "tiny", "--force", code=2), 2, "is the parent")
        self.assertEqual((self.models / "tiny.gguf").read_bytes(), (GOLDEN / "tiny_bert.gguf").read_bytes())

    def test_what_cannot_be_distilled_is_told_with_what_mends_it(self):
        self.distill("tiny")
        before = self.files()
        for args, code, parts in (
                (["ranker"], 2, ["reranker", "pythia model list"]),
                (["writer"], 2, ["does not say how token vectors are pooled", "pythia model list"]),
                (["tiny-static"], 2, ["distilled table already", "pythia model list"]),
                (["remote:there"], 2, ["service's model", "pythia model list"]),
                (["nothing"], 7, ["there is no model 'nothing'", "tiny"]),
                (["tiny", "--name", "x", "--dimensions", "25"], 2,
                 ["25 dimensions", "has 24", "pythia model distill tiny --dimensions 24"]),
                (["tiny", "--name", "x", "--dimensions", "0"], 2, ["dimensions"]),
                (["tiny", "--name", "x", "--sif", "0"], 2, ["sif"]),
                (["tiny", "--name", "../x"], 2, ["'../x'", "no name for a model"]),
                (["tiny", "--name", "x", "--corpus", "nowhere"], 2, ["there is no corpus", "nowhere"])):
            with self.subTest(args=args):
                self.assertFails(self.distill(*args, code=None), code, *parts)
        self.assertEqual(self.files(), before)

    def test_a_corpus_is_a_folder_or_json_lines(self):
        for i in range(120):
            self.write("docs/%d.txt" % i, "the file %s\n" % ("error" if i % 10 == 0 else "open"))
        self.write("docs/.gitignore", "ignored.txt\n")
        self.write("docs/ignored.txt", "vector " * 500)
        self.write("docs/binary", b"\x00\x01")
        lines = "".join(json.dumps({"text": "the file %s" % ("error" if i % 10 == 0 else "open")}) + "\n\n"
                        for i in range(120))
        self.write("corpus.jsonl", lines)
        made = [self.distill("tiny", "--name", name, "--json", "--corpus", corpus).json
                for name, corpus in (("a", "docs"), ("b", "corpus.jsonl"), ("c", str(self.tree / "corpus.jsonl")))]
        self.assertEqual([m["passages"] for m in made], [120, 120, 120])
        self.assertEqual(made[1]["model"]["name"], "b")
        plain = self.distill("tiny", "--name", "d", "--json").json
        # "the" is in every passage and counts for next to nothing; "error" is rare and carries the text
        near = [sum(x * y for x, y in zip(self.vector(m, "the the the the error")["embedding"],
                                          self.vector(m, "error")["embedding"])) for m in ("a", "b")]
        self.assertEqual(near[0], near[1])
        self.assertGreater(near[0], 0.99)
        self.assertEqual(plain["passages"], 0)

    def test_a_bad_corpus_is_told_by_its_line(self):
        self.write("few.jsonl", '{"text": "the file"}\n')
        self.assertFails(self.distill("tiny", "--corpus", "few.jsonl", code=None), 2, "has 1 passages", "100",
                         "pythia model distill tiny")
        self.write("bad.jsonl", '{"text": "the file"}\n{"text": 5}\n')
        self.assertFails(self.distill("tiny", "--corpus", "bad.jsonl", code=None), 2, "bad.jsonl:2")
        self.write("odd.jsonl", '{"words": "the file"}\n')
        self.assertFails(self.distill("tiny", "--corpus", "odd.jsonl", code=None), 2, "odd.jsonl:1", "'text'")
        self.assertNotIn("tiny-static.gguf", self.files())

    def test_a_full_disk_leaves_what_was_there(self):
        before = self.files()
        run = self.distill("tiny", code=None, preexec_fn=file_size_limit(4096))
        self.assertFails(run, 2, "tiny-static.gguf")
        self.assertEqual(self.files(), before)
        self.distill("tiny")
        kept = (self.models / "tiny-static.gguf").read_bytes()
        self.assertEqual(self.distill("tiny", "--force", "--dimensions", "20", code=2,
                                         preexec_fn=file_size_limit(4096)).out, "")
        self.assertEqual((self.models / "tiny-static.gguf").read_bytes(), kept)


# Three texts each of eight things; none shares a word that matters with another thing's.
TOPICS = {
    "soup": ["Fry an onion in olive oil and add ripe tomatoes.", "The recipe asks for basil, garlic and fresh pasta.",
             "Simmer the broth for twenty minutes, then season with salt and pepper."],
    "retry": ["int backoff_next(struct backoff *b) { return b->base << b->attempt; }",
              "Retry the failed request after an exponential delay.", "def retry_with_timeout(attempts, delay): sleep(delay)"],
    "doctor": ["The patient was treated with antibiotics for the infection.", "Symptoms include fever, cough and headache.",
               "The hospital's surgeon examined the wound."],
    "football": ["The striker scored two goals in the final match.", "Their team won the championship after penalties.",
                 "The coach praised his players for the victory."],
    "space": ["The telescope observed a distant galaxy.", "Astronauts aboard the station orbit the planet.",
              "The rocket launched a satellite towards Mars."],
    "money": ["The bank raised its interest rate by half a percent.", "Investors sold shares as the stock market fell.",
              "Inflation reduces the value of the currency."],
    "music": ["The orchestra played a symphony by Beethoven.", "She sings jazz and plays the piano.",
              "The guitar solo ends the album's last song."],
    "weather": ["Heavy rain and strong winds are expected tomorrow.", "The storm brought snow and thunder to the coast.",
                "Temperatures drop below freezing at night."],
}


class Real(PythiaTest):
    """With the table of all-MiniLM-L6-v2, made once."""

    @classmethod
    def setUpClass(cls):
        if not os.path.isfile(MODEL):
            return  # setUp tells
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="pythia-distill-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        (cls.made / "models").mkdir()
        (cls.made / "models" / "parent.gguf").symlink_to(os.path.realpath(MODEL))
        cls.run_ = subprocess.run([BINARY, "model", "distill", "parent", "--name", "table", "--json"], cwd=cls.made,
                                  env={**os.environ, "PYTHIA_HOME": str(cls.made)}, stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=2 * LIMIT_S)

    def setUp(self):
        super().setUp()
        self.assertEqual(self.run_.returncode, 0, self.run_.stderr)
        (self.home / "models" / "table.gguf").symlink_to(self.made / "models" / "table.gguf")

    def vectors(self, model, texts):
        stdin = "".join(json.dumps({"text": t}) + "\n" for t in texts).encode()
        out = self.pythia("embed", "-", "--model", model, stdin=stdin, code=0).out
        return [json.loads(line)["embedding"] for line in out.splitlines()]

    def test_256_dimensions_keep_most_of_the_variance_and_words_alone_have_rows(self):
        made = json.loads(self.run_.stdout)
        self.assertEqual(made["model"]["dimension"], 256)
        self.assertEqual(made["tokens"], 30522 - 999)  # without five marks and 994 unused places
        self.assertTrue(0.94 < made["explained"] < 0.97, made["explained"])
        self.assertLess(made["model"]["bytes"], 17 << 20)

    def test_neighbours_are_the_parents(self):
        texts = [t for group in TOPICS.values() for t in group]
        tables = {m: self.vectors(m, texts) for m in ("table", "all-minilm-l6-v2")}
        near, nearest = {}, {}
        for model, rows in tables.items():
            cosine = [[sum(x * y for x, y in zip(a, b)) for b in rows] for a in rows]
            near[model] = [cosine[i][j] for i in range(len(texts)) for j in range(i)]
            nearest[model] = sum(max((c, j) for j, c in enumerate(row) if j != i)[1] // 3 == i // 3
                                 for i, row in enumerate(cosine))
        self.assertGreaterEqual(nearest["table"], 18, nearest)  # of 24; by chance 2
        x, y = near["table"], near["all-minilm-l6-v2"]
        mx, my = sum(x) / len(x), sum(y) / len(y)
        r = (sum((a - mx) * (b - my) for a, b in zip(x, y)) /
             math.sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y)))
        self.assertGreater(r, 0.6)

    def test_an_interrupt_leaves_nothing_behind(self):
        process = subprocess.Popen([BINARY, "model", "distill", "all-minilm-l6-v2", "--progress", "json"], cwd=self.tree,
                                   env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = json.loads(process.stderr.readline())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT_S)
        self.assertEqual((first["event"], first["stage"], first["total"]), ("progress", "distill", 30522 - 999))
        self.assertEqual(process.returncode, 130, err)
        self.assertEqual([p.name for p in (self.home / "models").iterdir() if "static" in p.name], [])


if __name__ == "__main__":
    main()
