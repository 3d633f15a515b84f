"""Many new files are skimmed before they are cut: their words can be found at once, and in the end nothing tells of it."""
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time

from harness import BINARY, LIMIT_S, PythiaTest, main, strip

SKIM, WHOLE = {"PYTHIA_INDEX_SKIM_FROM": "1"}, {"PYTHIA_INDEX_SKIM_FROM": "0"}
QUERIES = ["item 25 of the warehouse", "zeppelin_017", "tomato soup", "backoff_next", "parse_iso8601", "the paper tray",
           "kept_in_markup"]


class Skim(PythiaTest):
    def make_many(self, n=90):
        self.make_tree()
        self.write("docs/page.html", "<html><head><title>Page</title></head><body><h1>Top</h1><p>kept_in_markup</p></body></html>\n")
        self.write("docs/latin.txt", "Caf\xe9 zum Schwarzen B\xe4ren, sch\xf6n gelegen \xfcber der Br\xfccke\n".encode("latin-1") * 4)
        for i in range(n):
            body = "".join("    total += step(%d)  # shelf %d\n" % (k, k * i % 100) for k in range(i % 40))
            self.write("part%d/file%03d.py" % (i % 7, i), '"""Item %d of the warehouse."""\n\n\ndef zeppelin_%03d(step):\n    total = 0\n%s    return total\n'
                       % (i, i, body))
        self.write("part0/same.py", (self.tree / "part0/file000.py").read_bytes())
        self.age()

    def rows(self, home=None):
        """Everything that an index has of its files, without ids."""
        with sqlite3.connect((home or self.home) / "pythia.db") as db:
            chunks = db.execute("SELECT d.path, c.start, c.\"end\", c.start_line, c.end_line, c.page, c.tokens, c.symbol, c.names, c.kind, "
                                "c.heading, c.hash FROM chunks c JOIN documents d ON d.id = c.document ORDER BY d.path, c.start").fetchall()
            symbols = db.execute("SELECT d.path, s.place, s.path, s.kind, s.start, s.\"end\" FROM symbols s JOIN documents d "
                                 "ON d.id = s.document ORDER BY d.path, s.place").fetchall()
            documents = db.execute("SELECT path, title, lang, state, reason, sha256, size, mtime_ns, chunk_count, prior, cut FROM documents "
                                   "ORDER BY path").fetchall()
            order = db.execute("SELECT d.path, c.start FROM chunks c JOIN documents d ON d.id = c.document ORDER BY c.id").fetchall()
        return documents, chunks, symbols, order

    def answers(self, env=None):
        return [strip(self.search(q, "-m", "20", *mode, env=env)) for q in QUERIES for mode in ((), ("--mode", "lexical"))]

    def undisturbed(self):
        home = self.new_home(self.dir / "undisturbed")
        env = {"PYTHIA_HOME": str(home), **WHOLE}
        self.index(env=env)
        return self.rows(home), self.answers(env)

    def kill_after_skimming(self, *args):
        run = self.index_until("read", signal.SIGKILL, *args, env=SKIM)
        self.assertEqual(run.code, -signal.SIGKILL)

    def test_a_skimmed_tree_ends_as_one_that_was_not(self):
        self.make_many()
        wanted = self.undisturbed()
        stages = []
        run = self.pythia("index", "--progress", "json", "--json", env=SKIM, code=0)
        for line in run.err.splitlines():
            stages.append(line.split('"stage":"')[1].split('"')[0])
        self.assertIn("skim", stages)
        self.assertLess(stages.index("skim"), stages.index("read"))
        report = run.json["reports"][0]
        self.assertEqual(report["added"], len(wanted[0][0]) - 1)
        self.assertEqual(report["skipped"], 1)
        self.assertLess(0, report["searchable_seconds"])
        self.assertLess(report["searchable_seconds"], report["seconds"])
        self.assertEqual(self.rows(), wanted[0])
        self.assertEqual(self.answers(), wanted[1])
        self.pythia("verify", code=0)
        again = self.index(env=SKIM)
        self.assertEqual((again["added"], again["changed"], again["embedded"]), (0, 0, 0))

    def test_words_are_found_when_a_run_was_killed_right_behind_skimming(self):
        self.make_many(400)
        wanted = self.undisturbed()
        self.kill_after_skimming()
        reply = self.search("zeppelin_398", "-m", "1")
        self.assertEqual(reply["results"][0]["path"], "part6/file398.py")
        self.assertEqual(reply["results"][0]["freshness"], "fresh")
        skimmed = reply["coverage"]["skimmed"]
        self.assertGreater(skimmed, 0)
        self.assertIn("%d files skimmed so far" % skimmed, self.pythia("search", "zeppelin_398", code=0).err)
        status = self.pythia("status", "--json", code=0).json["collections"][0]
        self.assertEqual(status["skimmed"], skimmed)
        self.assertRegex(self.pythia("status", code=0).out, r"skimmed +%d files" % skimmed)
        # Its exact pass is still to come: a file's outline is read at once.
        outline = self.pythia("symbols", "part6/file398.py", "--json", code=0).json
        self.assertEqual([(s["name"], s["kind"], s["line"]) for s in outline["results"]], [("zeppelin_398", "function", 4)])
        self.assertFalse(outline["stale"])
        why = self.pythia("why", "part6/file398.py", code=0).out
        self.assertIn("skimmed", why)
        self.assertIn("pythia index", why)
        self.pythia("verify", code=0)
        self.index()
        self.assertEqual(self.rows()[:3], wanted[0][:3])
        self.assertEqual(self.search("zeppelin_398")["coverage"]["skimmed"], 0)
        self.pythia("verify", code=0)

    def test_skimmed_pieces_get_no_vector(self):
        self.make_many(400)
        self.kill_after_skimming()
        self.index("part1", env=WHOLE)  # a part alone: the rest stays skimmed, and is not embedded
        with sqlite3.connect(self.home / "pythia.db") as db:
            left = db.execute("SELECT count(*) FROM documents WHERE cut = 1").fetchone()[0]
            embedded = db.execute("SELECT count(*) FROM chunks c JOIN documents d ON d.id = c.document JOIN chunk_embeddings e "
                                  "ON e.hash = c.hash WHERE d.cut = 1 AND c.tokens >= 0").fetchone()[0]
            bare = db.execute("SELECT count(*) FROM chunks c JOIN documents d ON d.id = c.document WHERE d.path LIKE 'part1/%' AND NOT "
                              "EXISTS (SELECT 1 FROM chunk_embeddings e WHERE e.hash = c.hash)").fetchone()[0]
        self.assertGreater(left, 0)
        self.assertEqual((embedded, bare), (0, 0))
        self.index()
        self.assertEqual(self.rows()[:3], self.undisturbed()[0][:3])

    def test_kills_at_random_moments_end_in_the_undisturbed_state(self):
        self.make_many()
        wanted = self.undisturbed()
        rng = random.Random(11)
        start = time.monotonic()
        self.index(env={**SKIM, "PYTHIA_HOME": str(self.new_home(self.dir / "timed"))})
        took = time.monotonic() - start
        for round in range(20):
            if round % 5 == 0:
                shutil.rmtree(self.home)
                self.new_home(self.home)
            process = subprocess.Popen([BINARY, "index"], cwd=self.tree, env={**self.env, **SKIM}, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0, took))
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=LIMIT_S)
            if round % 5 == 4:
                self.index(env=SKIM)
                self.assertEqual(self.rows()[:3], wanted[0][:3])
                self.pythia("verify", code=0)
                states = [r["state"] for r in self.pythia("runs", "--json", code=0).json["runs"]]
                self.assertEqual(states[0], "succeeded")
                self.assertLessEqual(set(states), {"succeeded", "failed"})

    def test_a_rename_beside_new_files_costs_no_embedding(self):
        self.make_many()
        self.index(env=SKIM)
        (self.tree / "src/dates.py").rename(self.tree / "src/moments.py")
        self.write("src/new.py", "def brand_new():\n    return 1\n")
        report = self.index(env=SKIM)
        self.assertEqual((report["renamed"], report["added"], report["embedded"]), (1, 1, 1))

    def test_what_changes_or_goes_while_it_is_skimmed_is_taken_as_it_is(self):
        self.make_many(400)
        self.kill_after_skimming()
        self.write("part0/file399.py", "def ended():\n    return 0\n")
        os.unlink(self.tree / "part6/file398.py")
        self.write("part5/file397.py", b"\x00\x01binary now\x00")
        self.index(env=SKIM)
        self.assertNotIn("zeppelin_399", self.pythia("search", "zeppelin_399", "--mode", "lexical", "--jsonl", code=0).out)
        self.assertNotIn("zeppelin_398", self.pythia("search", "zeppelin_398", "--mode", "lexical", "--jsonl", code=0).out)
        self.assertNotIn("zeppelin_397", self.pythia("search", "zeppelin_397", "--mode", "lexical", "--jsonl", code=0).out)
        self.assertEqual(self.paths("ended", "--mode", "lexical"), ["part0/file399.py"])
        self.pythia("verify", code=0)

    def test_other_settings_cut_everything_anew_though_the_run_is_killed(self):
        self.make_many(600)
        self.index("--lex-only", env=WHOLE)
        run = self.index_until("read", signal.SIGKILL, "--lex-only", "--noise", "keep", env=WHOLE)
        self.assertEqual(run.code, -signal.SIGKILL)
        with sqlite3.connect(self.home / "pythia.db") as db:
            left = db.execute("SELECT count(*) FROM documents WHERE cut = 2").fetchone()[0]
        self.assertGreater(left, 0)
        self.assertGreaterEqual(self.index("--lex-only")["changed"], left - 1)  # one is skipped
        with sqlite3.connect(self.home / "pythia.db") as db:
            self.assertEqual(db.execute("SELECT count(*) FROM documents WHERE cut <> 0").fetchone()[0], 0)


if __name__ == "__main__":
    main()
