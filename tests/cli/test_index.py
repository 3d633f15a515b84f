"""What `index` does the first and the second time: incremental by content, ignore rules, plans, names that bite."""
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import time
import unittest

from harness import BINARY, LIMIT_S, MODEL, MODEL_NAME, PythiaTest, main, strip, without_override

FILES = 5  # of harness.TREE, that is: less the two ignored ones, .gitignore itself (hidden) and the binary one


class Index(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.age()

    def counts(self, report):
        return {k: report[k] for k in ("added", "changed", "renamed", "removed", "failed") if report[k]}

    def test_the_report_tells_what_was_done(self):
        report = self.index()
        self.assertEqual(report["collection"], "tree")
        self.assertEqual(report["root"], str(self.tree))
        self.assertEqual(report["model"], MODEL_NAME)
        self.assertEqual(self.counts(report), {"added": FILES})
        self.assertEqual(report["skipped"], 1)
        self.assertEqual(report["embedded"], report["chunks"])
        self.assertGreater(report["tokens"], 50)

    def test_the_text_report_names_counts_skips_and_model(self):
        run = self.pythia("index", code=0)
        self.assertRegex(run.out, r"^tree \(%s\): %d added, 1 skipped\n" % (self.tree, FILES))
        self.assertRegex(run.out, r"\d+ chunks \(\d+ embedded, 0 reused\) in ")
        self.assertIn("skipped: 1 binary", run.out)
        self.assertIn(MODEL_NAME, run.out)

    def test_a_second_run_touches_nothing(self):
        self.index()
        report = self.index()
        self.assertEqual(self.counts(report), {})
        self.assertEqual((report["unchanged"], report["embedded"], report["chunks"]), (FILES, 0, 0))

    def test_a_run_without_changes_keeps_what_was_counted(self):
        self.index("--lex-only")
        pending = self.search("basil")["coverage"]["pending"]
        self.assertGreater(pending, 0)
        self.index("--lex-only")
        self.assertEqual(self.search("basil")["coverage"]["pending"], pending)
        self.assertGreater(self.index()["embedded"], 0)
        self.assertEqual(self.index()["pending"], 0)
        (self.tree / "docs/soup.txt").unlink()
        self.index()
        with sqlite3.connect(self.home / "pythia.db") as db:  # swept
            self.assertEqual(db.execute("SELECT count(*) FROM chunk_embeddings e WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE "
                                        "c.hash = e.hash)").fetchone()[0], 0)

    def test_a_new_time_without_a_new_content_costs_no_embedding(self):
        self.index()
        os.utime(self.tree / "src/dates.py")
        report = self.index()
        self.assertEqual(self.counts(report), {})
        self.assertEqual(report["embedded"], 0)

    def test_chunks_of_an_older_chunker_are_cut_anew_and_told(self):
        self.index()
        with sqlite3.connect(self.home / "pythia.db") as db:
            db.execute("UPDATE collections SET settings = replace(settings, '\"chunker\"', '\"was\"')")
        report = self.index()
        self.assertTrue(report["recut"])
        self.assertEqual(self.counts(report), {"changed": FILES})
        self.assertEqual(report["embedded"], 0)
        report = self.index()
        self.assertFalse(report["recut"])
        self.assertEqual(self.counts(report), {})

    def test_an_edit_costs_one_file(self):
        self.index()
        self.write("docs/soup.txt", "Pumpkin soup: roast a pumpkin with ginger, then blend it.\n")
        report = self.index()
        self.assertEqual(self.counts(report), {"changed": 1})
        self.assertEqual(report["embedded"], 1)
        self.assertEqual(self.paths("ginger", "--mode", "lexical"), ["docs/soup.txt"])
        self.search("basil", "--mode", "lexical", code=1)

    def test_an_edit_of_equal_size_and_time_is_seen_when_it_was_racy(self):
        """git's racy file: its time is not older than the index, so a later write may have carried the same one."""
        path = self.write("racy.txt", "aardvark\n")
        later = time.time_ns() + 3600 * 10**9
        os.utime(path, ns=(later, later))
        self.index()
        path.write_text("zeppelin\n")
        os.utime(path, ns=(later, later))
        self.index()
        self.assertEqual(self.paths("zeppelin", "--mode", "lexical"), ["racy.txt"])

    def test_a_rename_costs_no_embedding(self):
        self.index()
        (self.tree / "src/dates.py").rename(self.tree / "src/moments.py")
        report = self.index()
        self.assertEqual(self.counts(report), {"renamed": 1})
        self.assertEqual(report["embedded"], 0)
        self.assertEqual(self.paths("parse_iso8601", "--mode", "lexical"), ["src/moments.py"])
        self.assertEqual(self.paths("turn an ISO 8601 timestamp into a datetime")[0], "src/moments.py")

    def test_a_renamed_folder_costs_no_embedding(self):
        self.index()
        (self.tree / "src").rename(self.tree / "source")
        report = self.index()
        self.assertEqual(self.counts(report), {"renamed": 2})
        self.assertEqual(report["embedded"], 0)

    def test_a_copy_costs_no_embedding(self):
        self.index()
        shutil.copy(self.tree / "src/dates.py", self.tree / "src/copy.py")
        report = self.index()
        self.assertEqual(self.counts(report), {"added": 1})
        self.assertEqual(report["embedded"], 0)
        self.assertEqual(set(self.paths("parse_iso8601", "--mode", "lexical")), {"src/dates.py", "src/copy.py"})

    def test_the_same_content_in_another_collection_costs_no_embedding(self):
        self.index()
        shutil.copytree(self.tree, self.dir / "worktree")
        report = self.index(cwd=self.dir / "worktree")
        self.assertEqual(report["embedded"], 0)
        self.assertGreater(report["reused"], 0)
        first, second = self.search("parse a date"), self.search("parse a date", cwd=self.dir / "worktree")
        self.assertEqual([(h["path"], h["score"]) for h in first["results"]], [(h["path"], h["score"]) for h in second["results"]])

    def test_the_kind_of_index_is_chosen_by_size_and_says_why(self):
        made = self.index()
        why = "codes, all looked at, as there are fewer than 20,000 vectors"
        self.assertEqual((made["index"], made["index_why"]), ("flat", why))
        shown = self.pythia("collection", "show", "--json", code=0).json["collection"]
        self.assertEqual((shown["index"], shown["index_why"]), ("flat", why))
        self.assertIn("auto: " + why, self.pythia("status", code=0).out)
        self.assertIn("index flat: " + why, self.pythia("index", code=0).out)
        self.assertEqual(self.index("--index", "hnsw", "--force")["index_why"], None)
        self.assertEqual(self.index()["index"], "hnsw")  # who chose it keeps it
        back = self.index("--index", "auto")
        self.assertEqual((back["index"], back["index_why"], back["embedded"]), ("flat", why, 0))

    def test_another_kind_of_index_takes_the_vectors_over(self):
        self.index()
        before = self.search("parse a date", "--mode", "semantic")["results"]
        self.write("docs/soup.txt", "Another soup: leeks and potatoes.\n")  # so that a slot is out of use
        self.age("docs/soup.txt")
        self.index()
        for kind in ("hnsw", "ivfpq", "compact", "flat"):  # compact keeps rows until there are enough of them
            report = self.index("--index", kind, "--force")
            self.assertEqual((report["index"], report["embedded"]), (kind, 0))
            self.assertEqual(self.pythia("verify").code, 0)
            found = self.search("parse a date", "--mode", "semantic")["results"]
            self.assertEqual(found[0]["path"], before[0]["path"])
            self.assertAlmostEqual(found[0]["score"], before[0]["score"], places=2)
        self.assertGreater(self.index("--index", "exact", "--force")["embedded"], 0)  # every bit, not the bytes of flat
        self.assertEqual(len(list((self.home / "index").glob("*/vec-*.rows"))), 1)

    def test_a_collection_keeps_its_kind_of_index_until_force_names_another(self):
        self.index()
        before = [h["path"] for h in self.search("parse a date", "--mode", "semantic")["results"]]
        run = self.pythia("index", "--index", "hnsw")
        self.assertFails(run, 4, "kind 'flat', not 'hnsw'", "--index hnsw --force")
        for kind in ("hnsw", "ivfpq", "exact", "flat"):
            self.index("--index", kind, "--force")
            self.index()
            shown = self.pythia("collection", "show", "--json", code=0).json["collection"]
            self.assertEqual((shown["index"], shown["index_why"]), (kind, None))
            found = [h["path"] for h in self.search("parse a date", "--mode", "semantic")["results"]]
            self.assertEqual(found[0], before[0])
            self.assertEqual(set(found), set(before))

    def test_what_is_deleted_disappears(self):
        self.index()
        (self.tree / "docs/soup.txt").unlink()
        self.assertEqual(self.counts(self.index()), {"removed": 1})
        self.search("basil", "--mode", "lexical", code=1)
        self.assertNotIn("docs/soup.txt", self.paths("a recipe", "-m", "50", "--mode", "semantic"))

    def test_a_newly_ignored_file_disappears(self):
        self.index()
        self.write(".gitignore", TREE_IGNORE + "docs/\n")
        self.index()
        self.search("basil", "--mode", "lexical", code=1)

    def test_force_reads_everything_again_and_embeds_nothing_twice(self):
        made = self.index()
        before = self.search("basil")
        report = self.index("--force")
        self.assertEqual(report["changed"], FILES)
        self.assertEqual((report["chunks"], report["embedded"]), (made["chunks"], 0))
        self.assertEqual(self.index()["unchanged"], FILES)
        self.assertEqual(strip(self.search("basil")), strip(before))
        self.pythia("verify", code=0)

    def test_a_text_that_comes_back_is_not_embedded_again(self):
        made = self.index()
        before = self.search("basil")
        soup = self.tree / "docs/soup.txt"
        text = soup.read_bytes()
        soup.unlink()
        self.assertEqual(self.index()["removed"], 1)
        soup.write_bytes(text)
        report = self.index()
        self.assertEqual((report["added"], report["embedded"], report["reused"]), (1, 0, 1))
        self.assertEqual(strip(self.search("basil")), strip(before))
        # without the room on disk it is
        soup.unlink()
        none = ("--config", "index.cache_size=0")
        self.index(*none)
        soup.write_bytes(text)
        self.assertEqual(self.index(*none)["embedded"], 1)
        self.assertGreater(made["embedded"], 1)

    def test_copies_and_moves_cost_no_embedding(self):
        made = self.index()
        for name in ("src/dates.py", "docs/soup.txt"):
            self.write("copies/" + name, (self.tree / name).read_bytes())
        (self.tree / "docs/guide.md").rename(self.tree / "docs/manual.md")
        self.assertEqual(self.index()["embedded"], 0)
        other = self.dir / "worktree"
        shutil.copytree(self.tree, other)
        report = self.index(cwd=other)
        self.assertEqual((report["embedded"], report["reused"]), (0, made["embedded"]))

    def test_incremental_equals_a_fresh_index(self):
        self.index()
        (self.tree / "src/dates.py").rename(self.tree / "src/moments.py")
        (self.tree / "docs/soup.txt").unlink()
        self.write("docs/guide.md", "# Guide\n\nThe printer was sold. There is a scanner now.\n")
        self.write("docs/new.md", "A new page about airships.\n")
        self.index()
        fresh = {"PYTHIA_HOME": str(self.new_home(self.dir / "fresh"))}
        self.index(env=fresh)
        for query in ("scanner", "parse a date", "airship", "printer paper tray"):
            self.assertEqual(strip(self.search(query)), strip(self.search(query, env=fresh)), query)

    def test_one_file_or_folder_of_a_collection_can_be_indexed_alone(self):
        self.index()
        self.write("docs/one.md", "zeppelin\n")
        self.write("src/two.c", "int zeppelin;\n")
        self.assertEqual(self.counts(self.index("docs")), {"added": 1})
        self.assertEqual(self.paths("zeppelin", "--mode", "lexical"), ["docs/one.md"])
        self.assertEqual(self.counts(self.index("src/two.c")), {"added": 1})

    def test_several_folders_become_several_collections(self):
        run = self.pythia("index", "docs", "src", "--json", code=0)
        self.assertEqual([r["collection"] for r in run.json["reports"]], ["docs", "src"])
        self.assertEqual(self.pythia("collection", "list", "-q", code=0).out.split(), ["docs", "src"])

    def test_two_folders_of_one_name_get_two_names(self):
        for parent in ("a", "b"):
            self.write("%s/lib/x.txt" % parent, parent)
        self.assertEqual([self.index(str(self.tree / p / "lib"))["collection"] for p in ("a", "b")], ["lib", "lib-2"])

    def test_a_name_belongs_to_one_folder(self):
        self.index("--collection", "mine")
        other = self.dir / "other"
        other.mkdir()
        self.assertFails(self.pythia("index", str(other), "--collection", "mine"), 2, "'mine'", "pythia index")
        self.assertEqual(self.index("--collection", "mine", cwd=other)["unchanged"], FILES)  # its name alone means its folder

    def test_globs_choose_files_and_are_remembered(self):
        report = self.index("-g", "*.md", "-g", "*.py", "-g", "!src/**")
        self.assertEqual(report["added"], 1)
        self.assertEqual(self.index()["unchanged"], 1)

    def test_files_with_a_byte_order_mark_get_their_vectors(self):
        (self.tree / "marked.txt").write_bytes(b"\xef\xbb\xbf" + b"The lighthouse keeper counts the ships at dusk.\n")
        (self.tree / "wide.txt").write_bytes("The beekeeper moves the hives in spring.\n".encode("utf-16"))
        self.index()
        self.assertEqual(self.search("hives")["coverage"]["pending"], 0)
        for query, path in (("harbour lamp attendant", "marked.txt"), ("honey insects", "wide.txt")):
            hit = self.search(query, "--mode", "semantic", "-m", "1")["results"][0]
            self.assertEqual((hit["path"], hit["freshness"]), (path, "fresh"))

    def test_lexical_only_leaves_the_vectors_pending(self):
        report = self.index("--lex-only")
        self.assertEqual(report["embedded"], 0)
        found = self.search("basil")
        self.assertEqual(found["results"][0]["path"], "docs/soup.txt")
        self.assertGreater(found["coverage"]["pending"], 0)
        self.assertFails(self.pythia("search", "basil", "--mode", "semantic"), 3, "no vectors yet", "run: pythia index")
        run = self.pythia("search", "basil", code=0)
        self.assertIn("index 0 %", run.err)
        self.assertEqual(self.index()["embedded"], report["chunks"])
        self.assertEqual(self.search("basil")["coverage"]["pending"], 0)

    # ---- the plan ----

    def test_a_dry_run_tells_everything_and_does_nothing(self):
        plan = self.index("--dry-run")
        reasons = {p["path"]: p["reason"] for p in plan["plan"]}
        self.assertEqual((plan["added"], plan["skipped"]), (FILES, 1))
        self.assertEqual(reasons["src/dates.py"], "add")
        self.assertRegex(reasons["picture.bin"], "^skip: binary")
        self.assertFails(self.pythia("search", "basil"), 3, "pythia index")
        self.index()
        before = self.pythia("status", "--json", code=0).json
        (self.tree / "src/dates.py").rename(self.tree / "src/moments.py")
        (self.tree / "docs/soup.txt").unlink()
        self.write("docs/guide.md", "changed\n")
        self.write("new.md", "new\n")
        os.utime(self.tree / "src/net/retry.c")  # a new time alone is no change
        report = self.index("--dry-run")
        self.assertEqual({p["path"]: p["reason"] for p in report["plan"]},
                         {"src/moments.py": "rename from src/dates.py", "docs/soup.txt": "remove", "docs/guide.md": "change", "new.md": "add"})
        text = self.pythia("index", "-n", code=0)
        self.assertIn("rename from src/dates.py  src/moments.py\n", text.out)
        self.assertIn("nothing was done", text.err)
        after = self.pythia("status", "--no-check", "--json", code=0).json
        self.assertEqual(before["collections"][0]["documents"], after["collections"][0]["documents"])
        self.assertEqual(self.counts(self.index()), {"added": 1, "changed": 1, "renamed": 1, "removed": 1})

    # ---- ignore rules, seen through why ----

    def why(self, path, code):
        return self.pythia("why", path, "--json", code=code).json

    def test_why_tells_a_files_way(self):
        self.write("nested/.gitignore", "*.tmp\n!important.tmp\n/anchored\n")
        self.write("nested/a.tmp", "x")
        self.write("nested/important.tmp", "an important file\n")
        self.write("nested/anchored", "x")
        self.write("nested/deep/anchored", "not anchored here\n")
        self.write(".pythiaignore", "*.md\n")
        self.write(".hidden/x.txt", "hidden\n")
        self.write("empty.txt", "")
        self.write("large.txt", "word " * 300000)
        self.write("min.js", "var a=1;" * 5000)
        self.index()
        indexed = self.why("src/dates.py", 0)
        self.assertTrue(indexed["indexed"])
        self.assertEqual([s["stage"] for s in indexed["steps"]], ["ignore", "read", "chunk", "embed", "index"])
        self.assertTrue(all(s["passed"] for s in indexed["steps"]))
        for path in ("keep.log", "nested/important.tmp", "nested/deep/anchored"):
            self.assertTrue(self.why(path, 0)["indexed"], path)
        for path, rule in {"server.log": ".gitignore:2", "build/generated.c": ".gitignore:1", "nested/a.tmp": "nested/.gitignore:1",
                           "nested/anchored": "nested/.gitignore:3", "docs/guide.md": ".pythiaignore:1"}.items():
            steps = self.why(path, 1)["steps"]
            self.assertEqual((steps[0]["stage"], steps[0]["passed"]), ("ignore", False), path)
            self.assertIn(rule, steps[0]["detail"])
        self.assertIn("hidden", self.why(".hidden/x.txt", 1)["steps"][0]["detail"])
        for path, reason in {"picture.bin": "binary", "empty.txt": "empty", "large.txt": "larger than 1", "min.js": "minified"}.items():
            steps = self.why(path, 1)["steps"]
            self.assertEqual((steps[1]["stage"], steps[1]["passed"]), ("read", False), path)
            self.assertIn(reason, steps[1]["detail"])
        text = self.pythia("why", "server.log", code=1)
        self.assertIn("✗ ignore", text.out)
        self.assertIn("server.log  is not indexed", text.out)

    def test_no_ignore_hidden_and_max_file_size(self):
        self.write(".hidden.txt", "zeppelin one\n")
        self.write("large.txt", "zeppelin " + "word " * 300000)
        self.index("--no-ignore", "--hidden", "--max-file-size", "4M")
        self.assertEqual(set(self.paths("zeppelin", "--mode", "lexical")), {".hidden.txt", "large.txt"})
        self.assertEqual(self.paths("generated_and_ignored", "--mode", "lexical")[0], "build/generated.c")

    def test_a_larger_size_limit_takes_in_what_was_skipped(self):
        self.write("large.txt", "zeppelin " + "word " * 300000)
        self.age()
        self.assertEqual(self.index()["skipped"], 2)
        self.search("zeppelin", "--mode", "lexical", code=1)
        self.assertEqual(self.index("--max-file-size", "4M")["skipped"], 1)
        self.assertEqual(self.paths("zeppelin", "--mode", "lexical"), ["large.txt"])

    # ---- status and lists ----

    def test_status_counts_and_tells_what_is_stale(self):
        self.index()
        status = self.pythia("status", "--json", code=0).json["collections"][0]
        self.assertEqual((status["name"], status["documents"], status["skipped"], status["pending"]), ("tree", FILES, 1, 0))
        self.assertEqual(status["skip_counts"], [{"reason": "binary", "files": 1}])
        self.assertEqual(status["stale_files"], [])
        self.assertIn("up to date", self.pythia("status", code=0).out)
        self.write("docs/soup.txt", "longer than before, so that the size differs as well\n" * 4)
        self.write("new.md", "new\n")
        (self.tree / "src/dates.py").unlink()
        status = self.pythia("status", "--json", code=0).json["collections"][0]
        self.assertEqual({s["path"]: s["reason"] for s in status["stale_files"]},
                         {"docs/soup.txt": "changed", "new.md": "new", "src/dates.py": "gone"})
        out = self.pythia("status", code=0).out
        self.assertIn("new.md: new", out)
        self.assertIn("next       pythia index %s" % self.tree, out)

    def test_status_without_anything(self):
        run = self.pythia("status", code=0)
        self.assertIn("nothing is indexed yet", run.out)
        self.assertEqual(self.pythia("status", "--json", code=0).json["collections"], [])

    def test_collections_are_listed_shown_renamed_and_removed(self):
        self.index("--collection", "docs of mine")
        self.assertIn("docs of mine", self.pythia("collection", "list", code=0).out)
        shown = self.pythia("collection", "show", "docs of mine", "--json", code=0).json["collection"]
        self.assertEqual((shown["documents"], shown["dimension"], shown["index"], shown["store"]), (FILES, 384, "flat", "local"))
        self.assertIn(str(self.tree), self.pythia("collection", "show", code=0).out)
        self.pythia("collection", "rename", "docs of mine", "tree", code=0)
        self.assertEqual(self.paths("basil", "--in", "tree")[0], "docs/soup.txt")
        self.assertFails(self.pythia("collection", "rm", "tree"), 2, "--yes")
        self.pythia("collection", "rm", "tree", "--yes", code=0)
        self.assertFails(self.pythia("search", "basil", "--in", "tree"), 3, "'tree'")
        self.assertEqual(self.pythia("collection", "list", "--json", code=0).json["collections"], [])
        self.assertTrue((self.tree / "docs/soup.txt").exists())

    def test_an_unknown_collection_is_exit_3_everywhere(self):
        self.index()
        for args in (["collection", "show", "nope"], ["collection", "rename", "nope", "x"], ["collection", "rm", "nope", "-y"],
                     ["status", "nope"], ["verify", "nope"], ["search", "x", "--in", "nope"]):
            self.assertFails(self.pythia(*args), 3, "'nope'")

    def test_runs_are_kept(self):
        self.index()
        self.index()
        runs = self.pythia("runs", "--json", code=0).json["runs"]
        self.assertEqual([r["state"] for r in runs], ["succeeded", "succeeded"])
        self.assertGreater(runs[0]["id"], runs[1]["id"])
        shown = self.pythia("runs", "show", str(runs[1]["id"]), "--json", code=0).json["run"]
        self.assertEqual(shown, runs[1])
        self.assertIn("succeeded", self.pythia("runs", code=0).out)
        self.assertFails(self.pythia("runs", "show", "999"), 3, "'999'", "run: pythia runs")

    def test_doctor_and_verify_find_nothing_wrong(self):
        self.index()
        self.pythia("verify", code=0)
        run = self.pythia("doctor", code=0)
        self.assertRegex(run.out, r"grammars +[2-9]\d languages are cut by their syntax tree")
        self.assertNotIn("✗", run.out)
        self.assertIn("next step", run.out)
        self.assertEqual({f["level"] for f in self.pythia("doctor", "--json", code=0).json["findings"]}, {"fine"})

    # ---- names that bite ----

    def test_hostile_file_names(self):
        names = [b"new\nline.txt", b"\x1b[31mred.txt", b"ill\xff\xfeformed.txt", b"-rf.txt", b" leading blank.txt", b"quote'\".txt",
                 b"back\\slash.txt", b"colon:12.txt", b"hash#tag.txt", "umlaut-ü.txt".encode(), "rtl-\u202etxt.exe.txt".encode(),
                 b"percent%41.txt", b"l" * 251 + b".txt"]
        for name in names:
            with open(os.path.join(os.fsencode(self.tree), name), "wb") as f:
                f.write(b"zeppelin in " + str(names.index(name)).encode() + b"\n")
        self.assertEqual(self.index()["added"], FILES + len(names))
        raw = self.pythia("search", "zeppelin", "--mode", "lexical", "-m", "100", "-l0", code=0, binary=True).out
        self.assertEqual(sorted(raw.split(b"\0")[:-1]), sorted(names))
        for args in (["-l"], [], ["--format", "md"], ["--format", "vimgrep"], ["--json"]):
            out = self.pythia("search", "zeppelin", "--mode", "lexical", "-m", "100", *args, code=0, binary=True).out
            self.assertNotIn(b"\x1b", out)
            out.decode("utf-8")
        quoted = self.pythia("search", "zeppelin", "--mode", "lexical", "-m", "100", "-l", code=0).out
        self.assertEqual(len(quoted.rstrip("\n").split("\n")), len(names))
        for line in ('"new\\nline.txt"', '"\\033[31mred.txt"', '"ill\\377\\376formed.txt"', "umlaut-ü.txt", '"rtl-\\342\\200\\256txt.exe.txt"'):
            self.assertIn(line, quoted.split("\n"))
        found = self.search("zeppelin", "--mode", "lexical", "-m", "100")["results"]
        self.assertEqual({h["freshness"] for h in found}, {"fresh"})
        for hit in found:  # what search says, get understands
            got = self.pythia("get", "#" + hit["id"], "--json", code=0).json["results"][0]
            self.assertEqual(got["content"], hit["content"])
        for name in (b"colon:12.txt", b"hash#tag.txt"):
            self.assertIn("zeppelin", self.pythia("get", name.decode(), code=0).out)
        self.assertEqual(self.index()["unchanged"], FILES + len(names))

    def test_paths_that_nobody_can_open_are_told(self):
        at = os.open(self.tree, os.O_RDONLY)
        for level in range(22):
            if level in (10, 21):
                with open("below.py", "w", opener=lambda name, flags: os.open(name, flags, 0o644, dir_fd=at)) as f:
                    f.write("def zeppelin_%d():\n    pass\n" % level)
            os.mkdir("d" * 200, dir_fd=at)
            below = os.open("d" * 200, os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(at)
        self.assertEqual(self.index("--lex-only")["added"], FILES + 1)
        self.assertEqual([(h["symbol"], h["freshness"]) for h in self.search("zeppelin", "--mode", "lexical")["results"]],
                         [("zeppelin_10", "fresh")])
        status = self.pythia("status", "--json", "--no-check", code=0).json["collections"][0]
        self.assertRegex(next(f["reason"] for f in status["skipped_files"] if len(f["path"]) > 4096),
                         r"^a path of 4\d\d\d bytes, which programs cannot open \(at most 4095\)$")

    def test_links_cycles_and_special_files_do_no_harm(self):
        os.symlink(".", self.tree / "cycle")
        os.symlink("nowhere", self.tree / "dangling")
        os.symlink("/etc/passwd", self.tree / "outside")
        os.mkfifo(self.tree / "fifo")
        self.assertEqual(self.index()["added"], FILES)
        for path in ("cycle", "dangling", "outside", "fifo"):
            self.assertFalse(self.why(path, 1)["indexed"], path)
        self.search("root", "--mode", "lexical", code=1)

    def test_ill_formed_utf8_and_nul_text_are_indexed_or_told(self):
        self.write("latin1.txt", "Die Brücke über den Fluß\n".encode("latin-1"))
        self.write("bom.txt", b"\xef\xbb\xbfzeppelin with a mark\n")
        self.write("utf16.txt", "zeppelin in sixteen bits\n".encode("utf-16"))
        self.write("crlf.txt", b"one\r\nzeppelin\r\nthree\r\n")
        self.index()
        self.assertEqual(set(self.paths("zeppelin", "--mode", "lexical")), {"bom.txt", "utf16.txt", "crlf.txt"})
        self.assertEqual(self.paths("Fluss Bridge Br", "--mode", "semantic", "-g", "latin1.txt"), ["latin1.txt"])

    def test_unreadable_files_make_it_partly_done_and_are_listed(self):
        path = self.write("secret.txt", "secret\n")
        path.chmod(0)
        done = subprocess.run([*without_override(), BINARY, "index", "--json"], cwd=self.tree, env=self.env, capture_output=True,
                              timeout=LIMIT_S)
        self.assertEqual(done.returncode, 9, done.stderr)
        answer = json.loads(done.stdout)
        self.assertEqual((answer["status"], answer["error"]["code"]), ("error", "partial"))
        report = answer["reports"][0]
        self.assertEqual((report["added"], report["failed"]), (FILES, 1))
        self.assertEqual(report["failures"][0]["path"], "secret.txt")
        self.assertIn("ermission denied", report["failures"][0]["reason"])
        done = subprocess.run([*without_override(), BINARY, "index"], cwd=self.tree, env=self.env, capture_output=True, text=True,
                              timeout=LIMIT_S)
        self.assertEqual(done.returncode, 9)
        self.assertIn("failed: secret.txt", done.stdout)
        path.chmod(0o644)
        self.assertEqual(self.counts(self.index())["changed"], 1)
        self.assertEqual(self.paths("secret", "--mode", "lexical"), ["secret.txt"])

    # ---- another model ----

    def other_model(self):
        """The same network with one weight's last bit turned: other content, so another model."""
        data = bytearray(pathlib.Path(MODEL).read_bytes())
        data[-4] ^= 1
        path = self.home / "models" / "other.gguf"
        path.write_bytes(data)
        return path

    def test_a_collection_made_with_another_model_needs_force(self):
        self.index()
        self.other_model()
        run = self.pythia("index", "--model", "other")
        self.assertFails(run, 4, "other", "'tree'", MODEL_NAME, "run: pythia index --collection 'tree' --model 'other' --force")
        self.assertEqual(self.pythia("index", "--model", "other", "--json", code=4).json["error"]["code"], "model_mismatch")
        self.assertEqual(self.paths("basil")[0], "docs/soup.txt")  # nothing was lost
        report = self.index("--model", "other", "--force")
        self.assertGreater(report["embedded"], 0)
        self.assertEqual(self.pythia("collection", "show", "tree", "--json", code=0).json["collection"]["model"], "other")
        self.assertEqual(self.paths("a recipe with basil")[0], "docs/soup.txt")

    def test_a_model_that_changed_under_its_name_is_noticed(self):
        self.index()
        name = self.home / "models" / (MODEL_NAME + ".gguf")
        other = self.other_model()
        name.unlink()
        other.rename(name)
        self.assertFails(self.pythia("search", "basil", "--mode", "semantic"), 4, "--force")


TREE_IGNORE = "build/\n*.log\n!keep.log\n"

if __name__ == "__main__":
    main()
