#!/usr/bin/env python3
"""`kill -9` at random moments of an indexing run, round after round, on a tree of your own.

    python3 bench/kills.py FOLDER… --pythia build/pythia [--rounds 20] [--seed 1] [--model NAME] [-- INDEX FLAGS]

Copies the folders side by side. Each round changes some files, adds and removes some, begins `index` and kills it after a random share
of the time that a whole run took; a run that was over by then does not count. Every tenth round begins from nothing. After every fifth
`index` runs to its end, and then everything that the store has of the files must be what an index made in one go has of them; `verify`
finds nothing, no run is left running, nothing is pending. Without --model a static table is distilled, so that a run is over in
seconds and kills come in all of its stages; with --model all-minilm-l6-v2 most of them come while it embeds.

Standard library only.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

FRESH_EVERY = 5  # rounds
TOUCHED = 40     # files a round

# Everything that an index has of its files, without ids and times of its own.
ROWS = (
    "SELECT path, title, meta, lang, state, reason, sha256, size, mtime_ns, chunk_count, prior, cut FROM documents ORDER BY path",
    "SELECT d.path, c.start, c.\"end\", c.start_line, c.end_line, c.page, c.tokens, c.symbol, c.names, c.kind, c.heading, c.hash, "
    "EXISTS (SELECT 1 FROM chunk_embeddings e WHERE e.hash = c.hash) FROM chunks c JOIN documents d ON d.id = c.document ORDER BY d.path, c.start",
    "SELECT d.path, s.place, s.path, s.kind, s.start, s.\"end\" FROM symbols s JOIN documents d ON d.id = s.document ORDER BY d.path, s.place",
)


class Bench:
    def __init__(self, args, world):
        self.args, self.world = args, world
        self.tree = world / "tree"
        self.rng = random.Random(args.seed)
        for folder in args.folders:
            shutil.copytree(folder, self.tree / pathlib.Path(folder).resolve().name, symlinks=True)
        self.model = args.model
        self.home = self.new_home("home")
        if not self.model:
            self.run("model", "distill", "all-minilm-l6-v2", "--name", "table")
            self.model = "table"

    def new_home(self, name):
        home = self.world / name
        shutil.rmtree(home, ignore_errors=True)
        (home / "models").mkdir(parents=True)
        models = [*pathlib.Path(self.args.gguf).resolve().parent.glob("*.gguf"), *(self.world / "home/models").glob("table.gguf")]
        for file in models:
            if not (home / "models" / file.name).exists():
                (home / "models" / file.name).symlink_to(file)
        return home

    def env(self, home=None):
        return {**os.environ, "PYTHIA_HOME": str(home or self.home)}

    def run(self, *words, home=None):
        done = subprocess.run([self.args.pythia, *words], env=self.env(home), capture_output=True, text=True)
        if done.returncode not in (0, 9):
            sys.exit("pythia %s: %d\n%s%s" % (" ".join(words), done.returncode, done.stdout[-2000:], done.stderr[-2000:]))
        return done.stdout

    def index_words(self):
        return ["index", str(self.tree), "--collection", "k", "--model", self.model, *self.args.flags]

    def index(self, home=None):
        return json.loads(self.run(*self.index_words(), "--json", home=home))["reports"][0]

    def change(self):
        files = sorted(p for p in self.tree.rglob("*") if p.is_file() and not p.is_symlink())
        for file in self.rng.sample(files, min(TOUCHED, len(files))):
            what = self.rng.random()
            if what < 0.1:
                file.unlink()
            elif what < 0.2:
                file.rename(file.with_name("moved_" + file.name))
            elif what < 0.3:
                shutil.copy(file, file.with_name("%d_%s" % (self.rng.randrange(1000), file.name)))
            else:
                with file.open("ab") as out:
                    out.write(b"\n// line %d\n" % self.rng.randrange(1 << 30))

    def forget(self):
        """The next run has all to do."""
        shutil.rmtree(self.home / "index", ignore_errors=True)
        for file in self.home.glob("pythia.db*"):
            file.unlink()

    def kill(self, within_s):
        """The stage in which it was killed; "over" when it was quicker."""
        told = self.world / "progress"
        with told.open("w") as err:
            process = subprocess.Popen([self.args.pythia, *self.index_words(), "--progress", "json"], env=self.env(),
                                       stdout=subprocess.DEVNULL, stderr=err)
        try:
            process.wait(self.rng.uniform(0, within_s))
        except subprocess.TimeoutExpired:
            process.kill()
        stages = [json.loads(line)["stage"] for line in told.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
        code = process.wait()
        if code not in (0, 9, -9):
            sys.exit("index ended with %d" % code)
        return "over" if code != -9 else stages[-1] if stages else "start"

    def rows(self, home):
        with sqlite3.connect("file:%s?mode=ro" % (home / "pythia.db"), uri=True) as store:
            return [store.execute(query).fetchall() for query in ROWS]

    def check(self):
        report = self.index()
        fresh = self.new_home("fresh")
        self.index(fresh)
        for have, want, what in zip(self.rows(self.home), self.rows(fresh), ("documents", "chunks", "symbols")):
            if have != want:
                differ = sorted(set(map(repr, have)) ^ set(map(repr, want)))
                sys.exit("%s differ from an undisturbed run's: %d rows, %s" % (what, len(differ), differ[:3]))
        self.run("verify")
        states = [run["state"] for run in json.loads(self.run("runs", "--json"))["runs"]]
        if report["pending"] or states[0] != "succeeded" or not set(states) <= {"succeeded", "failed"}:
            sys.exit("left behind: %d pending, states %s" % (report["pending"], states))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--pythia", required=True)
    parser.add_argument("--gguf", default=".setup/models/all-minilm-l6-v2.gguf")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model")
    given = sys.argv[1:]
    mine = given[:given.index("--")] if "--" in given else given
    args = parser.parse_args(mine)
    args.flags = given[len(mine) + 1:]
    args.pythia = str(pathlib.Path(args.pythia).resolve())
    with tempfile.TemporaryDirectory(prefix="pythia-kills-") as folder:
        bench = Bench(args, pathlib.Path(folder))
        start = time.monotonic()
        first = bench.index(bench.new_home("fresh"))
        took = time.monotonic() - start
        print("%d files, %d chunks, a whole run %.1f s" % (first["added"], first["chunks"], took), flush=True)
        killed = collections.Counter()
        for number in range(1, args.rounds + 1):
            if number % (2 * FRESH_EVERY) == 1:
                bench.forget()
            bench.change()
            stage = "over"
            while stage == "over":  # what is left to be done is not known: sooner, then
                stage = bench.kill(took * bench.rng.choice((1, 0.2, 0.05)))
                if stage == "over":
                    bench.change()
            killed[stage] += 1
            if number % FRESH_EVERY == 0 or number == args.rounds:
                bench.check()
                print("round %d: the same as an undisturbed run" % number, flush=True)
        print("killed in: " + ", ".join("%s %d" % pair for pair in killed.most_common()))


if __name__ == "__main__":
    main()
