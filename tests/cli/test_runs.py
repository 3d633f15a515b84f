"""Ingestion runs: what they tell while they work, how one is cancelled and gone on with, what a killed one leaves; content
that is known costs nothing."""
import json
import random
import shutil
import signal
import subprocess
import time

from harness import BINARY, LIMIT_S, PythiaTest, main


class Runs(PythiaTest):
    def make_many(self, n):
        for i in range(n):
            self.write("many/f%d.txt" % i, "paragraph %d " % i + "tells of the animals of the sea " * 6 + "\n")

    def start(self, *args):
        process = subprocess.Popen([BINARY, "index", "--progress", "json", *args], cwd=self.tree, env=self.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process

    def runs(self):
        return self.pythia("runs", "--json", code=0).json["runs"]

    def test_a_cancelled_run_stops_and_the_next_goes_on(self):
        self.make_many(700)
        process = self.start()
        for line in process.stderr:
            if line.startswith(b"{") and json.loads(line)["stage"] == "embed":
                break
        run = self.runs()[0]
        self.assertEqual((run["state"], run["stage"]), ("running", "embed"))
        self.assertEqual(run["total"], 700)
        self.assertEqual(self.pythia("runs", "cancel", str(run["id"]), "--json", code=0).json["run"]["state"], "cancelled")
        rest = process.stderr.read().decode()
        self.assertEqual(process.wait(timeout=LIMIT_S), 130, rest)
        shown = self.pythia("runs", "show", str(run["id"]), "--json", code=0).json["run"]
        self.assertEqual((shown["state"], shown["error"]), ("cancelled", "cancelled by the user"))
        report = self.index()
        self.assertEqual((report["added"], report["unchanged"]), (0, 700))
        self.assertEqual(report["pending"], 0)
        self.assertEqual(self.runs()[0]["state"], "succeeded")

    def test_what_is_over_or_unknown_cannot_be_cancelled(self):
        self.make_tree()
        self.index("--lex-only")
        run = self.runs()[0]
        self.assertFails(self.pythia("runs", "cancel", str(run["id"])), 2, "is over: succeeded")
        self.assertFails(self.pythia("runs", "cancel", "999"), 3, "no run '999'", "pythia runs")
        self.assertFails(self.pythia("runs", "cancel", "x"), 2, "not 'x'")

    def test_kills_at_random_moments_lose_nothing_and_leave_no_stuck_run(self):
        self.make_tree()
        self.make_many(150)
        rng = random.Random(7)
        start = time.monotonic()
        self.index("--collection", "whole")
        took = time.monotonic() - start
        self.pythia("collection", "rm", "whole", "--yes", code=0)
        shutil.rmtree(self.home / "cache", ignore_errors=True)
        for _ in range(6):
            process = self.start("--collection", "c")
            time.sleep(rng.uniform(0, took))
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=LIMIT_S)
        report = self.index("--collection", "c")
        self.assertEqual(report["pending"], 0)
        self.assertEqual(len(self.paths("tomato soup with basil", "--in", "c", "-m", "1")), 1)
        self.pythia("verify", code=0)
        states = [r["state"] for r in self.runs()]
        self.assertEqual(states[0], "succeeded")
        self.assertLessEqual(set(states), {"succeeded", "failed"})

    def test_a_second_worktree_costs_no_embedding(self):
        self.make_tree()
        first = self.index()
        self.assertGreater(first["embedded"], 0)
        other = self.dir / "worktree"
        shutil.copytree(self.tree, other)
        second = self.index(str(other))
        self.assertEqual(second["collection"], "worktree")
        self.assertEqual((second["embedded"], second["reused"]), (0, first["embedded"]))
        self.assertEqual(self.paths("parse a date", "--in", "worktree", "-m", "1"), ["src/dates.py"])


if __name__ == "__main__":
    main()
