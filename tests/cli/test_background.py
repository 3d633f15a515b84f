"""index --background: the caller gets the shell back when words can be searched; the rest is an ordinary run without a terminal.
Embeddings in order of use: what searches have shown goes first."""
import os
import pathlib
import sqlite3
import time

from harness import LIMIT_S, PythiaTest, main

SKIM = {"PYTHIA_INDEX_SKIM_FROM": "1"}


class Background(PythiaTest):
    def make_many(self, n, words=60):
        for i in range(n):
            self.write("many/f%03d.txt" % i, ("paragraph %d " % i + "tells of the animals of the sea and of ship %d. " % (i * 7) * (words // 10)) + "\n")
        self.age()

    def start(self, *args, env=None, code=0):
        return self.pythia("index", "--background", "--json", *args, env=env, code=code)

    def run_of(self, number):
        return self.pythia("runs", "show", str(number), "--json", code=0).json["run"]

    def wait_over(self, number):
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            run = self.run_of(number)
            if run["state"] not in ("queued", "running"):
                return run
            time.sleep(0.1)
        self.fail("run %d does not end" % number)

    def wait_gone(self, pid):
        deadline = time.monotonic() + LIMIT_S
        while os.path.exists("/proc/%d" % pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(os.path.exists("/proc/%d" % pid))

    def test_it_comes_back_when_words_can_be_searched_and_goes_on(self):
        self.make_tree()
        self.make_many(500)
        reply = self.start(env=SKIM).json
        self.assertEqual((reply["status"], reply["collection"]), ("ok", "tree"))
        self.assertEqual(self.paths("parse_iso8601", "--mode", "lexical"), ["src/dates.py"])
        run = self.run_of(reply["run"])
        self.assertEqual(run["state"], "running", "it was over before anybody could look: more files are needed")
        self.assertEqual(os.getsid(reply["pid"]), reply["pid"])  # a session of its own: no terminal reaches it
        self.assertFails(self.pythia("index"), 6, "pythia runs")
        self.assertEqual(self.wait_over(reply["run"])["state"], "succeeded")
        self.wait_gone(reply["pid"])
        self.assertEqual(self.index()["pending"], 0)
        self.assertEqual(self.search("soup made of tomatoes")["coverage"]["pending"], 0)
        self.assertRegex(pathlib.Path(reply["log"]).read_text(), r"tree: run %d\n" % reply["run"])
        self.pythia("verify", code=0)

    def test_it_is_cancelled_as_any_run(self):
        self.make_many(900)
        reply = self.start().json
        self.pythia("runs", "cancel", str(reply["run"]), code=0)
        self.wait_gone(reply["pid"])
        self.assertEqual(self.run_of(reply["run"])["state"], "cancelled")
        report = self.index("--lex-only")
        self.assertEqual((report["added"], report["unchanged"]), (0, 900))

    def test_text_names_the_run(self):
        self.make_tree()
        run = self.pythia("index", "--background", code=0)
        self.assertRegex(run.out, r"^tree: words can be searched; run 1 goes on: pythia runs show 1\n$")
        self.assertEqual(self.wait_over(1)["state"], "succeeded")

    def test_a_failure_before_it_leaves_is_the_callers(self):
        self.make_tree()
        run = self.pythia("index", "--background", "--model", "nope")
        self.assertFails(run, 7, "'nope'")
        self.assertEqual(self.start("--model", "nope", code=7).json["error"]["code"], "model_missing")

    def test_what_does_not_go_together_is_refused(self):
        self.make_tree()
        self.assertFails(self.pythia("index", "--background", "--watch"), 2, "--background and --watch")
        self.assertFails(self.pythia("index", "--background", "--dry-run"), 2, "--background and --dry-run")
        self.assertFails(self.pythia("index", "--background", "src", "docs"), 2, "one folder, not 2")

    # ---- order of use ----

    def vectors(self):
        """Paths of the documents in the order in which their first vectors came."""
        with sqlite3.connect(self.home / "pythia.db") as db:
            return [p for (p,) in db.execute("SELECT d.path FROM chunk_embeddings e JOIN chunks c ON c.hash = e.hash JOIN documents d "
                                             "ON d.id = c.document GROUP BY d.id ORDER BY min(e.slot)")]

    def test_what_changed_last_gets_its_vectors_first(self):
        self.make_many(30)
        os.utime(self.tree / "many/f017.txt", (1.7e9, 1.7e9))
        os.utime(self.tree / "many/f003.txt", (1.65e9, 1.65e9))
        self.index()
        self.assertEqual(self.vectors()[:3], ["many/f017.txt", "many/f003.txt", "many/f000.txt"])

    def test_what_searches_have_shown_gets_its_vectors_before_all_else(self):
        self.make_many(30)
        self.index("--lex-only")
        self.write("many/f001.txt", "paragraph changed, of ship nine and of the harbour\n")
        self.assertEqual(self.paths('"ship 84"', "-m", "1"), ["many/f012.txt"])
        self.assertEqual(self.paths('"ship 63"', "-m", "1"), ["many/f009.txt"])
        self.index()
        order = self.vectors()
        self.assertEqual(order[:3], ["many/f009.txt", "many/f012.txt", "many/f001.txt"])
        self.assertEqual(len(order), 30)
        self.assertEqual(self.index()["embedded"], 0)

    def test_what_was_shown_is_a_wish_and_nobody_fails_for_it(self):
        self.make_many(30)
        self.index("--lex-only")
        self.paths('"ship 84"', "-m", "1")
        notes = list(self.home.glob("index/*/shown"))
        self.assertEqual(len(notes), 1)
        notes[0].write_bytes(os.urandom(4099) + b"\x00" * 64)
        self.paths('"ship 84"', "-m", "1")
        self.assertEqual(self.index()["embedded"], 30)
        self.assertEqual(notes[0].stat().st_size, 0)
        notes[0].unlink()
        notes[0].mkdir()
        self.write("many/new.txt", "of the lighthouse\n")
        self.index("--lex-only")
        self.assertEqual(self.paths("lighthouse", "-m", "1"), ["many/new.txt"])
        self.assertEqual(self.index()["embedded"], 1)

    def test_the_same_text_in_several_files_is_embedded_once(self):
        self.make_many(30)
        for i in range(0, 30, 2):
            self.write("copies/c%02d.txt" % i, (self.tree / ("many/f%03d.txt" % i)).read_bytes())
        self.write("copies/c99.txt", (self.tree / "many/f000.txt").read_bytes())
        report = self.index()
        self.assertEqual((report["embedded"], report["reused"], report["pending"]), (30, 0, 0))


if __name__ == "__main__":
    main()
