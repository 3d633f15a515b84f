"""Interrupts, kills, full disks, locks, damage: a clear error, the right exit code, nothing lost."""
import glob
import json
import os
import pathlib
import sqlite3
import subprocess
import unittest

from harness import BINARY, MODEL, MODEL_NAME, PythiaTest, file_size_limit, main, signal, strip

QUERIES = ["item 250 of the warehouse", "zeppelin_017", "which file speaks about shelf 42"]


class Failures(PythiaTest):
    def make_many(self, n=400, first=0):
        """Enough short files for several batches of reading and of embedding."""
        for i in range(first, n):
            self.write("part%d/file%03d.txt" % (i % 7, i),
                       "This is item %d of the warehouse, on shelf %d.\nIts number is zeppelin_%03d.\n" % (i, i * 7 % 100, i))
        self.age()

    def answers(self, env=None):
        return [strip(self.search(q, "-m", "20", env=env)) for q in QUERIES]

    # ---- interrupts and kills ----

    def test_an_interrupt_keeps_what_is_done_and_the_next_index_goes_on(self):
        self.make_many()
        run = self.index_until("embed", signal.SIGINT, done=1)
        self.assertEqual(run.code, 130, run.err)
        self.assertRegex(run.err, r"pythia: interrupted: 400 of 400 files indexed and kept, \d+ of 400 chunks embedded; "
                                  r"run: pythia index to go on")
        status = self.pythia("status", "--json", "--no-check", code=0).json["collections"][0]
        self.assertEqual(status["documents"], 400)
        self.assertGreater(status["embedded"], 0)
        self.assertEqual(status["last_run_state"], "cancelled")
        report = self.index()
        self.assertEqual((report["unchanged"], report["embedded"]), (400, 400 - status["embedded"]))
        fresh = {"PYTHIA_HOME": str(self.new_home(self.dir / "fresh"))}
        self.index(env=fresh)
        self.assertEqual(self.answers(), self.answers(fresh))

    def test_sigterm_is_an_interrupt_too_and_json_says_so(self):
        self.make_many()
        run = self.index_until("embed", signal.SIGTERM, "--json")
        self.assertEqual(run.code, 130)
        self.assertEqual(run.json["error"]["code"], "interrupted")
        self.assertEqual(run.json["error"]["fix"], "pythia index to go on")

    def test_a_kill_at_any_stage_then_an_index_is_the_same_as_an_undisturbed_run(self):
        self.make_many()
        fresh = {"PYTHIA_HOME": str(self.new_home(self.dir / "fresh"))}
        self.index(env=fresh)
        wanted = self.answers(fresh)
        for number, (stage, later_s) in enumerate((("walk", 0), ("read", 0), ("embed", 0), ("embed", 0.05))):
            env = {"PYTHIA_HOME": str(self.new_home(self.dir / ("home%d" % number)))}
            run = self.index_until(stage, signal.SIGKILL, env=env, done=stage != "walk", later_s=later_s)
            if later_s == 0:  # else a fast machine may have done it all
                self.assertEqual(run.code, -signal.SIGKILL)
            report = self.index(env=env)
            self.assertEqual(report["unchanged"] + report["added"], 400, stage)
            self.assertEqual(self.answers(env), wanted, stage)
            self.pythia("verify", env=env, code=0)
            self.assertEqual(self.index(env=env)["unchanged"], 400)

    def test_a_kill_while_changes_are_taken_in_loses_nothing(self):
        self.make_many()
        self.index()
        for i in range(0, 400, 2):
            self.write("part%d/file%03d.txt" % (i % 7, i), "Item %d was sold, zeppelin_%03d too, number %d.\n" % (i, i, i * i))
        for i in range(1, 400, 40):
            (self.tree / ("part%d/file%03d.txt" % (i % 7, i))).unlink()
        self.index_until("embed", signal.SIGKILL)
        self.index()
        fresh = {"PYTHIA_HOME": str(self.new_home(self.dir / "fresh"))}
        self.index(env=fresh)
        self.assertEqual(self.answers(), self.answers(fresh))
        self.pythia("verify", code=0)

    def test_kills_while_words_are_written_and_joined_end_in_the_undisturbed_state(self):
        """Every batch of files is a segment of the lexical index; from the ninth on they are joined. New files come before
        every kill, since nobody knows how many a killed run got done: on a fast machine, all of them. There a run is over 70
        ms after the first batch, so some kills come at once and some a little later, as far as there is a later."""
        env = {"PYTHIA_HOME": str(self.new_home(self.dir / "killed"))}
        files = kills = 0
        for later_ms in (0, 40, 0, 15, 80) * 4:
            files += 640
            self.make_many(files, first=files - 640)
            run = self.index_until("read", signal.SIGKILL, "--lex-only", env=env, done=1, later_s=later_ms / 1000)
            kills += run.code == -signal.SIGKILL
            self.pythia("verify", env=env, code=0)
            if kills == 5:
                break
        self.assertEqual(kills, 5)
        self.index("--lex-only", env=env)
        fresh = {"PYTHIA_HOME": str(self.new_home(self.dir / "fresh"))}
        self.index("--lex-only", env=fresh)
        best = lambda i, env: strip(self.search("zeppelin_%03d" % i, "-m", "1", "--mode", "lexical", env=env))
        for i in range(0, files, 97):  # each by its own word: the order of equals is the order of reading
            self.assertIn("zeppelin_%03d" % i, json.dumps(best(i, env)))
            self.assertEqual(best(i, env), best(i, fresh))
        self.pythia("verify", env=env, code=0)
        self.assertEqual(self.index("--lex-only", env=env)["unchanged"], files)

    def test_damaged_words_are_named_and_mended(self):
        self.make_many(60)
        self.index("--lex-only")
        wanted = strip(self.search("warehouse", "--mode", "lexical"))
        for harm in ("flip", "cut", "gone"):
            path = max((f for f in glob.glob(str(self.home / "index" / "**"), recursive=True) if f.endswith(".seg")), key=os.path.getsize)
            data = bytearray(pathlib.Path(path).read_bytes())
            data[len(data) // 3] ^= 0x10
            if harm == "gone":
                os.unlink(path)
            else:
                pathlib.Path(path).write_bytes(data if harm == "flip" else data[:len(data) // 2])
            code = 3 if harm == "gone" else 5
            for args in (["search", "shelf", "--mode", "lexical"], ["search", "shelf"], ["index", "--lex-only"], ["verify"]):
                run = self.pythia(*args)
                self.assertEqual(run.code, code, (harm, args, run.err))
                self.assertIn("--force", run.err + run.out)
            self.index("--lex-only", "--force")
            self.assertEqual(strip(self.search("warehouse", "--mode", "lexical")), wanted)
            self.pythia("verify", code=0)

    # ---- locks ----

    def test_a_locked_database_is_exit_6(self):
        self.make_tree()
        self.index()
        self.write("new.txt", "new\n")
        other = sqlite3.connect(self.home / "pythia.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            self.assertFails(self.pythia("index"), 6, "pythia.db")
            self.assertTrue(self.paths("basil"))  # readers are not stopped by a writer
        finally:
            other.execute("ROLLBACK")
            other.close()
        self.assertEqual(self.index()["added"], 1)

    def test_two_indexers_of_one_collection_do_not_meet(self):
        self.make_tree()
        self.index()
        self.make_many()
        first = subprocess.Popen([BINARY, "index", "--progress", "json"], cwd=self.tree, env=self.env, stderr=subprocess.PIPE,
                                 stdout=subprocess.DEVNULL)
        for line in first.stderr:
            if line.startswith(b"{") and json.loads(line)["stage"] in ("read", "embed"):
                break
        second = self.pythia("index")
        first.stderr.read()
        first.stderr.close()
        self.assertEqual(first.wait(), 0)
        self.assertFails(second, 6, "'tree'")

    # ---- a full disk ----

    def test_a_full_disk_is_told_and_nothing_is_lost(self):
        self.make_tree()
        self.index()
        before = strip(self.search("basil"))
        self.make_many()
        written = [f for f in glob.glob(str(self.home / "**"), recursive=True) if os.path.isfile(f) and "/models/" not in f]
        size = max(map(os.path.getsize, written))  # of the store's and the index's files; weights are larger, and there
        for limit in (size + 4096, size + 65536, size + 200000):
            run = self.pythia("index", preexec_fn=file_size_limit(limit))
            self.assertEqual(run.code, 2, run.err)
            self.assertRegex(run.err, r"pythia: .*(full|too large|disk I/O)")
        found = strip(self.search("basil"))
        self.assertEqual(found["results"][0]["path"], before["results"][0]["path"])
        self.index()
        self.pythia("verify", code=0)
        self.assertTrue(self.paths("zeppelin_017", "--mode", "lexical"))

    def test_a_home_that_cannot_be_made_is_told(self):
        self.make_tree()
        self.write("file", "")
        run = self.pythia("index", env={"PYTHIA_HOME": str(self.tree / "file" / "home")})
        self.assertFails(run, 2, str(self.tree / "file"))

    # ---- models ----

    def test_a_missing_model_is_exit_7_and_names_the_way(self):
        self.make_tree()
        env = {"PYTHIA_HOME": str(self.dir / "empty")}
        self.assertFails(self.pythia("index", env=env), 7, MODEL_NAME, "run: pythia model import")
        self.assertFails(self.pythia("index", "--model", "nope"), 7, "'nope'", MODEL_NAME)
        self.assertFails(self.pythia("embed", "x", "--model", "/nowhere/x.gguf"), 7, "/nowhere/x.gguf")
        self.index("--lex-only", env=env)  # words need no model
        self.assertEqual(self.paths("basil", "--mode", "lexical", env=env), ["docs/soup.txt"])

    def test_truncated_and_hostile_models_are_damaged(self):
        self.make_tree()
        whole = pathlib.Path(MODEL).read_bytes()
        for name, data in {"half": whole[:len(whole) // 2], "head": whole[:4096], "short": whole[:10], "empty": b"", "text": b"hello world\n" * 99,
                           "counts": whole[:8] + b"\xff" * 16 + whole[24:], "magic": b"GGUX" + whole[4:]}.items():
            path = self.home / "models" / (name + ".gguf")
            path.write_bytes(data)
            run = self.pythia("index", "--model", str(path))
            self.assertIn(run.code, (2, 4, 5), (name, run.err))
            self.assertFails(run, run.code, name + ".gguf")
            if name in ("half", "head", "counts"):
                self.assertEqual(run.code, 5, run.err)
            run = self.pythia("model", "verify", name)
            self.assertNotEqual(run.code, 0, name)
        listed = {m["name"]: m["problem"] for m in self.pythia("model", "list", "--json", code=0).json["models"]}
        self.assertIsNone(listed[MODEL_NAME])
        self.assertTrue(listed["half"])
        self.assertFails(self.pythia("search", "x"), 3)  # no collection came of it

    def test_the_good_model_verifies(self):
        self.pythia("model", "verify", MODEL_NAME, code=0)
        self.assertEqual(self.pythia("model", "verify", MODEL_NAME, "--json", code=0).json["status"], "ok")

    # ---- damage ----

    def largest_index_file(self):
        files = [f for f in glob.glob(str(self.home / "**"), recursive=True)
                 if os.path.isfile(f) and not os.path.islink(f) and "pythia.db" not in f and f.endswith(".rows")]
        self.assertTrue(files, glob.glob(str(self.home / "**"), recursive=True))
        return max(files, key=os.path.getsize)

    def test_damage_of_the_index_is_found_and_mended(self):
        self.make_many(100)
        self.index()
        wanted = self.answers()
        path = self.largest_index_file()
        data = bytearray(pathlib.Path(path).read_bytes())
        for i in range(len(data) // 2, len(data) // 2 + 64):
            data[i] ^= 0x55
        pathlib.Path(path).write_bytes(data)
        run = self.pythia("verify", code=5)
        self.assertIn("--force", run.err + run.out)
        self.assertEqual(self.pythia("verify", "--json", code=5).json["error"]["code"], "corrupt")
        self.assertIn("✗", self.pythia("doctor").out)
        self.index("--force")
        self.pythia("verify", code=0)
        self.assertEqual(self.answers(), wanted)

    def test_a_truncated_or_missing_index_is_named(self):
        self.make_many(50)
        self.index()
        path = self.largest_index_file()
        data = pathlib.Path(path).read_bytes()
        pathlib.Path(path).write_bytes(data[:len(data) // 2])
        run = self.pythia("search", "shelf", "--mode", "semantic")
        self.assertIn(run.code, (3, 5), run.err)
        self.assertFails(run, run.code, "run: pythia index")
        os.unlink(path)
        run = self.pythia("index")  # nothing changed, and yet it is told
        self.assertFails(run, run.code, "--force")
        self.assertIn(run.code, (3, 5), run.err)
        run = self.pythia("search", "shelf", "--mode", "semantic")
        self.assertIn(run.code, (3, 5), run.err)
        self.assertFails(run, run.code, "run: pythia index")
        self.assertTrue(self.paths("shelf", "--mode", "lexical"))

    def test_a_database_that_is_none_is_damaged(self):
        self.make_tree()
        (self.home / "pythia.db").write_bytes(b"this is not a database, whatever its name says\n" * 200)
        for args in (["search", "x"], ["index"], ["status"]):
            self.assertFails(self.pythia(*args), 5, "pythia.db")

    def test_a_database_of_a_later_version_needs_a_later_program(self):
        self.make_tree()
        self.index()
        other = sqlite3.connect(self.home / "pythia.db")
        other.execute("PRAGMA user_version = 999")
        other.commit()
        other.close()
        self.assertFails(self.pythia("search", "x"), 4, "999")


if __name__ == "__main__":
    main()
