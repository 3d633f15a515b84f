"""--index compact: no vectors are kept; what a search computes anew, what it says of it, what is on disk, what damage does.

The texts are real ones, short for the engine's sake: what Python's own modules say of their functions and classes. The truth is
the exact kind over the same texts; both collections are made once, the tests work on copies.
"""
import ast
import json
import os
import pathlib
import shutil
import signal
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from harness import BINARY, LIMIT_S, PythiaTest, main, subprocess

TEXTS = 640  # codes are learnt from 512 texts on
QUERIES = 24
CODE = 47    # bytes of a code of 384 numbers


def docstrings():
    """(name, text) of TEXTS things of the standard library and the first lines of QUERIES others."""
    folder = pathlib.Path(os.__file__).parent
    texts, queries, seen = [], [], set()
    for path in sorted(folder.glob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                continue
            text = ast.get_docstring(node) or ""
            line = text.split("\n")[0].strip()
            if len(line) < 30 or line in seen:
                continue
            seen.add(line)
            if len(seen) % 27 == 0:
                queries.append(line)
            else:
                texts.append(("%s/%s-%d.txt" % (path.stem, node.name, node.lineno),
                              "%s: %s" % (node.name, " ".join(text.split())[:240])))
        if len(texts) >= TEXTS and len(queries) >= QUERIES:
            break
    return texts[:TEXTS], queries[:QUERIES]


class Corpus:
    """The tree and a home with two collections of it, made at the first use, for all tests of this file."""
    made = None

    def __init__(self, test):
        self.dir = tempfile.TemporaryDirectory(prefix="pythia-compact-")
        root = pathlib.Path(os.path.realpath(self.dir.name))
        self.tree, self.home = root / "tree", root / "home"
        texts, self.queries = docstrings()
        for name, text in texts:
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        test.new_home(self.home)
        test.env["PYTHIA_HOME"] = str(self.home)
        for kind in ("exact", "compact"):
            test.index(str(self.tree), "--collection", kind, "--index", kind)

    @classmethod
    def copy_for(cls, test):
        if cls.made is None:
            cls.made = cls(test)
        shutil.rmtree(test.home)
        shutil.copytree(cls.made.home, test.home, symlinks=True)
        test.env["PYTHIA_HOME"] = str(test.home)
        return cls.made


class Compact(PythiaTest):
    def setUp(self):
        super().setUp()
        self.corpus = Corpus.copy_for(self)

    def ask(self, query, collection="compact", *args, code=0):
        return self.pythia("search", query, "--in", collection, "--mode", "semantic", "--json", *args, code=code).json

    def folder(self, collection):
        """Where the index files of a collection are: collections are numbered in order of making."""
        return self.home / "index" / {"exact": "1", "compact": "2"}[collection]

    def test_hits_are_those_of_vectors_that_are_kept(self):
        found3 = found10 = computed = proven = 0
        for query in self.corpus.queries:
            want, got = self.ask(query, "exact"), self.ask(query, "compact", "--explain")
            self.assertNotIn("recomputed", want)
            names = [hit["path"] for hit in want["results"]]
            mine = [hit["path"] for hit in got["results"]]
            found3 += len(set(names[:3]) & set(mine[:3]))
            found10 += len(set(names) & set(mine))
            told = got["recomputed"]
            self.assertLessEqual(told["computed"], 64)
            self.assertEqual((told["cached"], told["lost"]), (0, 0))
            if told["proven"]:
                self.assertFalse(any("estimated" in hit["explain"]["vector"] for hit in got["results"]))
            computed += told["computed"]
            proven += told["proven"]
        self.assertGreaterEqual(found3, 0.95 * 3 * QUERIES)
        self.assertGreaterEqual(found10, 0.95 * 10 * QUERIES)
        self.assertLess(computed, 50 * QUERIES)
        self.assertGreater(proven, QUERIES / 2)

    def test_codes_are_all_that_is_kept(self):
        folder = self.folder("compact")
        every = {path.name: path.stat().st_size for path in folder.iterdir()}
        sizes = {name: size for name, size in every.items() if not name.startswith("lex")}
        self.assertEqual(set(sizes), {"vec-1.rows", "vec-1.built", "writer.lock"})
        self.assertLess(sizes["vec-1.rows"], TEXTS * CODE + 128 + 8 * 128)  # a head, blocks with theirs
        self.assertLess(sizes["vec-1.built"], 240 * (386 + 12) + 384 * 4 + 1024)  # components at most, and the mean
        shown = self.pythia("collection", "show", "compact", "--json", code=0).json["collection"]
        self.assertEqual((shown["index"], shown["index_bytes"]), ("compact", sum(sizes.values())))
        self.assertLess(shown["index_bytes"] * 5, self.folder("exact").joinpath("vec-1.rows").stat().st_size)

    def test_a_server_counts_what_it_computes(self):
        server = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0"], cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        url = json.loads(server.stdout.readline())["http"]

        def get(path):
            with urllib.request.urlopen(url + path, timeout=LIMIT_S) as reply:
                return reply.read().decode()

        computed = 0
        deadline = time.monotonic() + LIMIT_S
        for query in self.corpus.queries[:2]:
            while True:
                try:
                    got = json.loads(get("/v1/search?mode=semantic&collections=compact&q=" + urllib.parse.quote(query)))
                    break
                except urllib.error.HTTPError as e:  # the model is being loaded
                    self.assertEqual(e.code, 503)
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.05)
            computed += got["recomputed"]["computed"]
        self.assertGreater(computed, 0)
        self.assertIn("\npythia_recomputed_total %d\n" % computed, get("/metrics"))
        self.assertEqual(json.loads(get("/metrics?format=json"))["recomputed"], computed)

    def test_a_bound_is_kept_and_estimates_say_so(self):
        query = self.corpus.queries[0]
        got = self.ask(query, "compact", "--explain", "--config", "index.search_complexity=3")
        self.assertEqual((got["recomputed"]["computed"], got["recomputed"]["proven"]), (3, False))
        self.assertGreaterEqual(sum("estimated" in hit["explain"]["vector"] for hit in got["results"]), 7)
        run = self.pythia("search", query, "--in", "compact", "--explain", "--config", "index.search_complexity=3")
        self.assertIn("vectors computed anew: 3 in", run.err)
        self.assertIn("not proven", run.err)
        self.assertIn("(estimate)", run.out)
        run = self.pythia("search", query, "--in", "compact", "--config", "index.search_complexity=1000001")
        self.assertFails(run, 2, "index.search_complexity cannot be '1000001'; valid: 0 to 1000000")

    def test_hybrid_computes_no_more_than_its_hits_need(self):
        for query in self.corpus.queries[:6]:
            want = self.pythia("search", query, "--in", "exact", "--json").json
            got = self.pythia("search", query, "--in", "compact", "--json").json
            self.assertLessEqual(got["recomputed"]["computed"], 64)
            names, mine = ([hit["path"] for hit in r["results"]] for r in (want, got))
            self.assertGreaterEqual(len(set(names) & set(mine)), 9)
            self.assertEqual(names[0], mine[0])

    def test_texts_that_changed_keep_their_estimates(self):
        tree = self.dir / "own"
        shutil.copytree(self.corpus.tree, tree)
        self.index(str(tree), "--collection", "own", "--index", "compact")  # takes no vector over: none are kept
        query = self.corpus.queries[1]
        best = self.ask(query, "own")["results"]
        for hit in best[:3]:
            (tree / hit["path"]).write_text("something else altogether")
        got = self.ask(query, "own", "--explain")
        self.assertEqual((got["recomputed"]["lost"], got["recomputed"]["proven"]), (3, False))
        changed = {hit["path"]: hit for hit in got["results"] if hit["freshness"] == "changed"}
        for hit in changed.values():
            self.assertTrue(hit["explain"]["vector"]["estimated"])
        self.assertGreaterEqual(len(changed), 2)
        moved = best[4]["path"]
        (tree / moved).write_text("a line before it\n" + (self.corpus.tree / moved).read_text())
        got = self.ask(query, "own")
        self.assertEqual(got["recomputed"]["lost"], 3)  # what moved within its file is found
        self.index(str(tree), "--collection", "own")
        got = self.ask(query, "own")
        self.assertEqual((got["recomputed"]["lost"], got["coverage"]["pending"]), (0, 0))

    def test_damage_is_told_with_the_command_that_mends(self):
        rows, built = (self.folder("compact") / name for name in ("vec-1.rows", "vec-1.built"))
        self.assertEqual(self.pythia("verify", "compact").code, 0)
        whole = rows.read_bytes()
        rows.write_bytes(whole[:9000] + bytes([whole[9000] ^ 4]) + whole[9001:])
        run = self.pythia("verify", "compact")
        self.assertFails(run, 5, "pythia index --collection", "--force")
        self.assertIn("vec-1.rows", run.out)
        self.assertFails(self.pythia("search", "open a file", "--in", "compact"), 5, "vec-1.rows", "pythia index")
        rows.write_bytes(whole[:20000])
        self.assertFails(self.pythia("search", "open a file", "--in", "compact"), 5, "vec-1.rows",
                         "pythia index --collection 'compact' --force")
        rows.write_bytes(whole)
        built.unlink()
        run = self.pythia("verify", "compact")
        self.assertFails(run, 5, "pythia index --collection", "--force")
        self.assertIn("mean nothing without it", run.out)
        self.index(str(self.corpus.tree), "--collection", "compact", "--force")
        self.assertEqual(self.pythia("verify", "compact").code, 0)
        self.assertEqual(self.ask("open a file")["recomputed"]["lost"], 0)

    def test_a_killed_index_goes_on_and_ends_the_same(self):
        self.tree, query = self.corpus.tree, self.corpus.queries[2]
        want = self.ask(query, "exact")
        self.pythia("collection", "rm", "exact", "--yes", code=0)  # else its vectors would be taken over in no time
        args = ("--collection", "again", "--index", "compact")
        for _ in range(2):  # what the second has left depends on when the first was told of: any progress will do
            run = self.index_until("embed", signal.SIGKILL, *args, done=1)
            self.assertEqual(run.code, -signal.SIGKILL)
        self.index(str(self.tree), *args)
        self.assertEqual(self.pythia("verify", "again").code, 0)
        got = self.ask(query, "again")
        self.assertGreaterEqual(len({h["path"] for h in want["results"]} & {h["path"] for h in got["results"]}), 9)


if __name__ == "__main__":
    main()
