"""What has no vector yet is judged by a static table of its model: made once, said so, and gone with the vectors."""
import json
import os
import pathlib
import shutil
import signal

from harness import PythiaTest, main, strip

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
MADE = {"PYTHIA_INDEX_STATIC_FROM": "1", "PYTHIA_INDEX_SKIM_FROM": "1"}
OFF = {"PYTHIA_SEARCH_STATIC": "false"}
QUERY = "how do I retry"


class Static(PythiaTest):
    needs_model = False

    def setUp(self):
        super().setUp()
        shutil.copy(GOLDEN / "tiny_bert.gguf", self.home / "models" / "tiny.gguf")
        for i, text in enumerate(("how do I retry it\n", "read the file and retry\n", "error (42): how do I retry the file it read\n",
                                  "retry retry retry\n", "how how how do I\n")):
            self.write("part/f%d.txt" % i, text * (i + 1))
        self.age()

    def waiting(self, **env):
        """Words alone, of a collection whose model is known."""
        self.pythia("index", "--model", "tiny", "--lex-only", env=env, code=0)

    def tables(self):
        cache = self.home / "cache"
        return sorted(p.name for p in cache.iterdir() if p.name.startswith("static-")) if cache.exists() else []

    def fused(self, env=None, among=()):
        reply = self.search(QUERY, *among, "--explain", "-m", "100", env=env)
        return {h["id"]: h["explain"]["fused"] for h in reply["results"]}, reply["coverage"]

    def status(self):
        return self.pythia("status", "--json", code=0).json["collections"][0]

    def test_words_alone_until_there_is_a_table_and_vectors_alone_in_the_end(self):
        self.waiting()
        words, coverage = self.fused()
        self.assertEqual(coverage["static"], 0)
        self.pythia("model", "distill", "tiny", code=0)
        moved, coverage = self.fused()
        self.assertEqual(set(moved), set(words))
        self.assertTrue(all(moved[p] != words[p] for p in words), (moved, words))
        self.assertEqual(coverage["static"], self.status()["pending"])
        self.assertEqual(self.status()["static"], self.status()["pending"])
        self.assertIn("judged by static vectors so far", self.pythia("search", QUERY, code=0).err)
        self.assertRegex(self.pythia("status", code=0).out, r"\(\d+ pending, judged by static vectors\)")
        self.assertEqual(self.fused(OFF)[0], words)
        self.assertEqual(self.search(QUERY, "--mode", "lexical")["coverage"]["static"], 0)
        self.pythia("index", "--model", "tiny", code=0)
        own, coverage = self.fused()
        self.assertEqual(coverage["static"], 0)
        self.assertEqual(self.fused(OFF)[0], own)
        self.assertNotIn("static", self.pythia("search", QUERY, code=0).err)

    def vector(self, text, kind):
        line = json.dumps({"text": text, "kind": kind})
        return json.loads(self.pythia("embed", "-", "--model", "tiny-static", stdin=line.encode(), code=0).out)["embedding"]

    def test_the_table_moves_a_chunk_by_how_near_its_text_is(self):
        self.waiting()
        words = self.fused()[0]
        self.pythia("model", "distill", "tiny", code=0)
        asked = self.vector(QUERY, "query")
        seen = set()
        for h in self.search(QUERY, "--explain", "-m", "100")["results"]:  # all are shorter than a piece
            near = sum(a * b for a, b in zip(asked, self.vector(h["content"], "document")))
            self.assertAlmostEqual(h["explain"]["fused"] - words[h["id"]], 0.65 * 0.5 * (near - 0.35), places=4)
            seen.add(round(near, 3))
        self.assertGreater(len(seen), 2)

    def test_a_skimmed_chunk_is_as_near_as_its_best_piece(self):
        text = "read the file error (42)\n" * 40 + "how do I retry it\n" * 70
        for i in range(400):
            self.write("many/%03d.txt" % i, text + "read %d\n" % i)
        self.age()
        run = self.index_until("read", signal.SIGKILL, "--model", "tiny",
                               env={"PYTHIA_INDEX_SKIM_FROM": "1", "PYTHIA_INDEX_STATIC_FROM": "0"})
        self.assertEqual(run.code, -signal.SIGKILL)
        last = ["many/399.txt"]  # which was not cut for good yet
        words = self.fused(among=last)[0]
        self.pythia("model", "distill", "tiny", code=0)
        asked = self.vector(QUERY, "query")
        hit, = self.search(QUERY, *last, "--explain")["results"]
        self.assertGreater(len(hit["content"]), 2048)
        pieces, rest = [], hit["content"]
        while rest:
            end = len(rest) if len(rest) <= 2048 else rest.rindex("\n", 0, 1024) + 1
            pieces.append(rest[:end])
            rest = rest[end:]
        near = [sum(a * b for a, b in zip(asked, self.vector(t, "document"))) for t in pieces]
        self.assertGreater(max(near), min(near) + 0.01)
        self.assertAlmostEqual(hit["explain"]["fused"] - words[hit["id"]], 0.65 * 0.5 * (max(near) - 0.35), places=4)

    def test_a_large_run_makes_the_table_once(self):
        run = self.pythia("index", "--model", "tiny", "--progress", "json", env=MADE, code=0)
        stages = [line.split('"stage":"')[1].split('"')[0] for line in run.err.splitlines() if '"stage"' in line]
        self.assertLess(stages.index("skim"), stages.index("distill"))
        self.assertLess(stages.index("distill"), stages.index("read"))
        made = self.tables()
        self.assertEqual(len(made), 1)
        path = self.home / "cache" / made[0]
        before, content = os.stat(path), path.read_bytes()
        self.pythia("index", "--force", "--model", "tiny", env=MADE, code=0)
        self.assertEqual(os.stat(path).st_mtime_ns, before.st_mtime_ns)
        self.assertEqual(self.pythia("model", "list", "--json", code=0).json["models"][0]["name"], "tiny")
        path.write_bytes(content[:-40])  # damaged: left out, with a word in the log, and made again
        self.write("part/new.txt", "how do I retry\n")
        self.waiting()
        run = self.pythia("search", QUERY, "--json", code=0)
        self.assertEqual(run.json["coverage"]["static"], 0)
        self.assertIn("the static table is left out", run.err)
        self.write("part/newer.txt", "how do I\n")
        self.pythia("index", "--lex-only", "--model", "tiny", env=MADE, code=0)
        self.assertEqual(path.read_bytes(), content[:-40])  # who wants no vectors makes no table
        self.write("part/newest.txt", "how do I\n")
        self.pythia("index", "--model", "tiny", env=MADE, code=0)
        self.assertEqual(path.read_bytes(), content)

    def test_no_table_of_another_model_or_where_none_is_wanted(self):
        self.waiting()
        self.pythia("model", "distill", "tiny", code=0)
        # The name is that of the table, the content another model's: tiny with another mark in its name.
        other = (GOLDEN / "tiny_bert.gguf").read_bytes()
        shutil.move(self.home / "models" / "tiny-static.gguf", self.home / "models" / "kept.gguf")
        (self.home / "models" / "tiny-static.gguf").write_bytes(other)
        self.assertEqual(self.search(QUERY)["coverage"]["static"], 0)
        self.pythia("index", "--model", "tiny", "--force", env={"PYTHIA_INDEX_STATIC_FROM": "0", "PYTHIA_INDEX_SKIM_FROM": "1"}, code=0)
        self.assertEqual(self.tables(), [])

    def test_several_collections_have_what_is_theirs(self):
        self.waiting()
        self.pythia("model", "distill", "tiny", code=0)
        second = self.dir / "second"
        second.mkdir()
        (second / "one.txt").write_text("how do I retry it\n")
        self.pythia("index", str(second), "--collection", "second", "--model", "tiny", code=0)
        reply = self.search(QUERY, "--in", "second", "--in", self.status()["name"])
        self.assertEqual(reply["coverage"]["static"], self.status()["pending"])
        self.assertEqual(len({h["collection"] for h in reply["results"]}), 2)
        self.assertEqual(strip(reply), strip(self.search(QUERY, "--in", "second", "--in", self.status()["name"])))


if __name__ == "__main__":
    main()
