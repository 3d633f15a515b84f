"""`eval init` makes a set of a collection; `eval run --report` and `eval report` tell what became of it."""
import json
import pathlib
import shutil
import unittest

from harness import PythiaTest, main, subprocess

FILES = {
    "src/wait.c": """\
/* Sleeps twice as long after each failed attempt, up to a ceiling.
 *
 * With some jitter, so that many clients do not come back at once. */
int backoff(int attempt)
{
    int ms = 100 << attempt;
    return ms > 5000 ? 5000 : ms + jitter(ms / 4);
}

/* Reads a whole file into memory, whatever its size. */
char *slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    return f ? read_to_end(f) : NULL;
}

/* jitter: gives a random number below n, by jitter. */
int jitter(int n)
{
    return n > 0 ? (int)(random() % n) : 0;
}

/* Says the same as another one does. */
int first_twin(void)
{
    return twins[0].value + twins[0].weight;
}

/* Says the same as another one does. */
int second_twin(void)
{
    return twins[1].value + twins[1].weight;
}
""",
    "src/dates.py": '''\
def parse_day(text):
    """Turns words like tomorrow into a calendar date.

    More about it."""
    if text == "tomorrow":
        return today() + day
    return calendar[text]


def close_all(doors):
    # nothing is said of it
    for door in doors:
        door.close()
''',
    "docs/printer.md": """\
# The printer manual

Read this before you plug it in.

## Putting paper into the tray

Open the drawer below, lay at most fifty sheets into it, and push it back until it clicks.

## When nothing comes out

See "What to do first": turn it off, wait a minute, and turn it on again. The lamp has to be green.
""",
    "docs/index.md": "Contents: When nothing comes out, and all the rest of what is written about the printer.\n",
}
SENTENCES = {"Sleeps twice as long after each failed attempt, up to a ceiling", "Reads a whole file into memory, whatever its size",
             "Turns words like tomorrow into a calendar date"}


class EvalInit(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree(FILES)
        self.index()

    def init(self, *args, code=0):
        return self.pythia("eval", "init", str(self.dir / "set"), *args, code=code)

    def lines(self, name):
        return [json.loads(line) for line in (self.dir / "set" / name).read_text().splitlines()]

    def qrels(self):
        return [line.split("\t") for line in (self.dir / "set" / "qrels.tsv").read_text().splitlines()]

    def test_queries_are_made_of_comments_and_headings_and_leave_no_trace_in_the_corpus(self):
        made = self.init("--json").json
        self.assertEqual(made["queries"], {"docstring": 3, "heading": 2, "commit": 0, "feedback": 0})
        self.assertEqual(made["no_commits"], "git knows no history of this folder")
        self.assertGreaterEqual(made["elsewhere"], 3)  # the twins, and the heading that the contents have
        queries = {q["text"]: q for q in self.lines("queries.jsonl")}
        self.assertEqual({t for t, q in queries.items() if q["kind"] == "docstring"}, SENTENCES)
        self.assertEqual({t for t, q in queries.items() if q["kind"] == "heading"}, {"The printer manual", "Putting paper into the tray"})
        corpus = {d["id"]: d for d in self.lines("corpus.jsonl")}
        for text in queries:
            self.assertFalse([d for d in corpus.values() if text in d["text"] or text in d.get("heading", "")], text)
        everything = "".join(d["text"] for d in corpus.values())
        for gone in ("With some jitter", "More about it"):  # the whole comment goes, not its first sentence alone
            self.assertNotIn(gone, everything)
        for kept in ("Says the same as another one does", "gives a random number below n", "When nothing comes out"):
            self.assertIn(kept, everything)
        grades = {(q, d): int(g) for q, d, g in self.qrels()}
        for text, body in (("Reads a whole file into memory, whatever its size", "read_to_end"), ("Putting paper into the tray", "fifty"),
                           ("Turns words like tomorrow into a calendar date", "calendar[text]")):
            best = [d for (q, d), g in grades.items() if q == queries[text]["id"] and g == 2]
            self.assertEqual(len(best), 1, text)
            self.assertIn(body, corpus[best[0]]["text"])

    def test_the_same_seed_gives_the_same_set_and_another_one_another(self):
        self.init("--queries", "2")
        names = ("corpus.jsonl", "queries.jsonl", "qrels.tsv", "meta.json")
        first = {name: (self.dir / "set" / name).read_bytes() for name in names}
        self.assertFails(self.init("--queries", "2", code=2), 2, "holds an evaluation set already", "--force")
        self.init("--queries", "2", "--force")
        self.assertEqual(first, {name: (self.dir / "set" / name).read_bytes() for name in names})
        others = set()
        for seed in range(2, 8):
            self.init("--queries", "2", "--force", "--seed", str(seed))
            others.add((self.dir / "set" / "queries.jsonl").read_bytes())
        self.assertTrue(others - {first["queries.jsonl"]})

    @unittest.skipUnless(shutil.which("git"), "git is not installed")
    def test_subjects_of_commits_ask_for_the_files_they_changed(self):
        def git(*args):
            subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *args], cwd=self.tree, check=True, capture_output=True)

        git("init", "-q")
        for message, name in (("everything so far is put here", "."), ("dates: weekdays count from monday (#12)", "src/dates.py"),
                              ("Merge the branch of somebody else", "docs/index.md"), ("wait: short", "src/wait.c")):
            with open(self.tree / ("README" if name == "." else name), "a") as f:
                f.write("\n")
            git("add", name)
            git("commit", "-qm", message)
        self.index()
        made = self.init("--from", "commit", "--json").json
        self.assertEqual(made["queries"], {"docstring": 0, "heading": 0, "commit": 1, "feedback": 0})
        [query] = self.lines("queries.jsonl")
        self.assertEqual((query["kind"], query["text"]), ("commit", "dates: weekdays count from monday"))
        self.assertTrue(all(d.startswith("src/dates.py:") and g == "1" for _, d, g in self.qrels()))

    def test_runs_of_it_are_reported_as_markdown(self):
        self.init()
        reports = [str(self.dir / name) for name in ("all.json", "words.json", "half.json")]
        for path, args in zip(reports, ([], ["--mode", "lexical"], ["--vectors", "0.5"])):
            run = self.pythia("eval", "run", str(self.dir / "set"), "--report", path, *args, code=0, env={"PYTHIA_SEARCH_STATIC": "false"})
            told = json.loads(pathlib.Path(path).read_text())
            self.assertEqual(run.json["queries"], len(told["queries"]))
            self.assertAlmostEqual(run.json["ndcg_at_10"], sum(q["ndcg_at_10"] for q in told["queries"]) / len(told["queries"]))
        text = self.pythia("eval", "report", *reports, code=0).out
        for part in ("# Retrieval quality", "| all | ", "hybrid, 50 % with vectors", "## Recall by places looked at", "## Queries by nDCG@10",
                     "docstring  words", "## Compared with the first run", "## Queries that found least, in half", "█"):
            self.assertIn(part, text)
        alone = self.pythia("eval", "report", reports[0], code=0).out
        self.assertNotIn("Compared", alone)
        other = json.loads(pathlib.Path(reports[1]).read_text())
        other["queries"][0].update(id="x|y", text="a <b> | `c`\n\x1b[31m", ranks=[], ndcg_at_10=0)
        (self.dir / "other.json").write_text(json.dumps(other))
        text = self.pythia("eval", "report", reports[0], str(self.dir / "other.json"), code=0).out
        self.assertIn("| other queries |", text)
        self.assertIn("a &lt;b> \\| \\`c\\` ", text)
        self.assertIn("not in 100", text)
        self.assertNotIn("\x1b", text)

    def test_reports_that_cannot_be_are_refused(self):
        path = self.dir / "report.json"
        query = {"id": "q", "text": "t", "ndcg_at_10": 0.5, "ms": 1, "relevant": 1, "ranks": [2]}
        for change, told in (({"ranks": [2, 1]}, "'ranks' of query 'q' do not rise from 1"), ({"ranks": [0]}, "do not rise from 1"),
                             ({"ndcg_at_10": 2}, "the figures of query 'q' cannot be"), ({"relevant": 0}, "cannot be"),
                             ({"ranks": [1, 2]}, "cannot be"), ({"id": 7}, "'id'")):
            path.write_text(json.dumps({"queries": [{**query, **change}]}))
            self.assertFails(self.pythia("eval", "report", str(path)), 2, told, "report.json", "--report")
        path.write_text("{}")
        self.assertFails(self.pythia("eval", "report", str(path)), 2, "it has no 'queries'")
        path.write_text("[")
        self.assertFails(self.pythia("eval", "report", str(path)), 2, "report.json")
        self.assertFails(self.pythia("eval", "report", str(self.dir / "none.json")), 2, "none.json")

    def test_what_cannot_be_asked_is_told(self):
        self.assertFails(self.init("--from", "commit", code=2), 2, "nothing in collection 'tree' can be made a query of")
        self.assertFails(self.init("--from", "rumour", code=2), 2, "docstring, heading, commit")
        self.assertFails(self.init("--in", "nowhere", code=3), 3, "nowhere")
        (self.tree / "src" / "dates.py").write_text("pass\n")
        run = self.init("--from", "docstring")
        self.assertIn("1 documents are not as they were indexed and were left out", run.err)


if __name__ == "__main__":
    main()
