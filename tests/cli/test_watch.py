"""`watch` as users meet it: whatever way a file changes, a search sees it soon after; signals end it cleanly."""
import json
import os
import select
import shutil
import signal
import subprocess
import time

from harness import BINARY, LIMIT_S, PythiaTest, main

QUEUE = "/proc/sys/fs/inotify/max_queued_events"


class Watcher:
    """A running `pythia watch --json`, read event by event."""

    def __init__(self, test, *args):
        self.test = test
        self.process = subprocess.Popen([BINARY, *args, "--json"], cwd=test.tree, env=test.env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.buffer = b""
        test.addCleanup(self.kill)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def event(self, wanted=None, having=None):
        """The next event of that kind for which having(event) is true."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            while b"\n" in self.buffer:
                line, self.buffer = self.buffer.split(b"\n", 1)
                event = json.loads(line)
                if (wanted is None or event["event"] == wanted) and (having is None or having(event)):
                    return event
            if select.select([self.process.stdout], [], [], 1)[0]:
                piece = os.read(self.process.stdout.fileno(), 65536)
                if not piece:
                    break
                self.buffer += piece
        self.test.fail("no event %r came: %s" % (wanted, self.end()))

    def indexed(self, **counts):
        return self.event("indexed", lambda e: all(e["report"][k] == v for k, v in counts.items()))

    def sees(self, word, *paths):
        """Waits for the event after which the word is found in these files. Not for counts: a file may be looked at between
        its creation and its first byte, and then it is a changed one."""
        while True:
            event = self.event("indexed")
            run = self.test.pythia("search", word, "--mode", "lexical", "--json")
            if run.code == (0 if paths else 1) and [h["path"] for h in run.json["results"]] == list(paths):
                return event

    def end(self, send=signal.SIGTERM):
        self.process.send_signal(send)
        self.process.wait(timeout=LIMIT_S)
        return self.process.returncode, self.process.stderr.read().decode()


class Watch(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.age()

    def watch(self, *args, wait=True):
        w = Watcher(self, "watch", "--lex-only", *args)
        if wait:
            w.event("watching")
        return w

    def found(self, word):
        return self.paths(word, "--mode", "lexical")

    def gone(self, word):
        self.search(word, "--mode", "lexical", code=1)

    def test_a_save_is_seen(self):
        w = self.watch()
        self.write("docs/soup.txt", "Pumpkin soup with ginger.\n")
        event = w.sees("ginger", "docs/soup.txt")
        self.gone("basil")
        self.assertGreater(event["ms"], 0)

    def test_an_editors_atomic_save_is_seen(self):
        w = self.watch()
        self.write("docs/.soup.txt.tmp", "Pumpkin soup with ginger.\n")
        os.replace(self.tree / "docs/.soup.txt.tmp", self.tree / "docs/soup.txt")
        w.sees("ginger", "docs/soup.txt")

    def test_new_files_and_folders_and_removals_are_seen(self):
        w = self.watch()
        self.write("new/very/deep/otter.txt", "The otter swims.\n")
        w.sees("otter", "new/very/deep/otter.txt")
        self.write("new/very/deep/seal.txt", "The seal dives.\n")
        w.sees("seal", "new/very/deep/seal.txt")
        shutil.rmtree(self.tree / "new")
        w.sees("seal")
        if self.pythia("search", "otter", "--mode", "lexical").code == 0:
            w.sees("otter")

    def test_a_renamed_folder_is_seen_and_costs_no_reading(self):
        w = self.watch()
        (self.tree / "src").rename(self.tree / "source")
        w.indexed(renamed=2)
        self.assertEqual(self.found("parse_iso8601"), ["source/dates.py"])
        self.write("source/dates.py", "def walrus(): pass\n")
        w.sees("walrus", "source/dates.py")

    def test_ignored_files_wake_nobody_and_new_rules_hold(self):
        w = self.watch()
        self.write("server.log", "an ignored walrus\n")
        self.write("keep.log", "a kept walrus\n")
        w.sees("walrus", "keep.log")
        self.write(".pythiaignore", "docs/\n")
        w.indexed(removed=2)
        self.gone("basil")

    def git(self, *args):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *args], cwd=self.tree, check=True,
                       capture_output=True, env={**self.env, "GIT_CONFIG_NOSYSTEM": "1"})

    def test_a_branch_switch_is_one_change(self):
        many = 400
        self.git("init", "-q", "-b", "main")
        for i in range(many):
            self.write("many/f%d.txt" % i, "file %d of the walrus branch\n" % i)
        self.git("add", "-A")
        self.git("commit", "-qm", "one")
        self.git("checkout", "-qb", "other")
        for i in range(many):
            self.write("many/f%d.txt" % i, "file %d of the otter branch\n" % i)
        self.git("commit", "-qam", "two")
        w = self.watch()
        self.git("checkout", "-q", "main")
        changed, batches = 0, 0
        while changed < many:
            changed += w.event("indexed")["report"]["changed"]
            batches += 1
        self.assertEqual(changed, many)
        self.assertLessEqual(batches, 3)
        self.gone("otter")
        self.assertEqual(len(self.found("walrus")), 10)

    def test_an_overflow_of_the_systems_queue_loses_nothing(self):
        with open(QUEUE) as f:
            queue = int(f.read())
        if queue > 1 << 17:
            self.skipTest("the queue of this system is too long to be filled")
        w = self.watch()
        w.process.send_signal(signal.SIGSTOP)
        a, b = self.tree / "src/one.tmp", self.tree / "src/two.tmp"
        a.write_text("")
        for _ in range(queue // 4 + 100):
            a.rename(b)
            b.rename(a)
        a.unlink()
        self.write("docs/soup.txt", "Pumpkin soup with ginger.\n")  # its events find no room
        self.write("late/otter.txt", "The otter swims.\n")
        w.process.send_signal(signal.SIGCONT)
        w.sees("ginger", "docs/soup.txt")
        self.write("late/otter.txt", "The walrus swims.\n")  # the folder whose coming was lost is watched
        w.sees("walrus", "late/otter.txt")

    def test_polling_sees_the_same(self):
        w = self.watch("--poll")
        self.write("docs/soup.txt", "Pumpkin soup with ginger.\n")
        w.sees("ginger", "docs/soup.txt")
        self.write("new/otter.txt", "The otter swims.\n")
        w.sees("otter", "new/otter.txt")

    def test_several_folders_and_all_of_them(self):
        other = self.dir / "other"
        self.write("a.txt", "The walrus dives.\n", root=other)
        w = self.watch(str(self.tree), str(other), wait=False)
        self.assertEqual({w.event("watching")["collection"] for _ in range(2)}, {"tree", "other"})
        self.write("a.txt", "The otter dives.\n", root=other)
        self.assertEqual(w.indexed(changed=1)["collection"], "other")
        self.assertEqual(w.end()[0], 0)
        w = self.watch("--all", wait=False)
        self.assertEqual({w.event("watching")["collection"] for _ in range(2)}, {"tree", "other"})
        self.write("docs/soup.txt", "Pumpkin soup with ginger.\n")
        self.assertEqual(w.indexed(changed=1)["collection"], "tree")

    def test_a_file_names_its_whole_collection(self):
        self.index("--lex-only")
        w = self.watch("docs/soup.txt")
        self.write("src/otter.c", "int otter;\n")
        w.sees("otter", "src/otter.c")

    def test_signals_end_it_cleanly(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            w = self.watch()
            self.assertEqual(w.end(number), (0, ""))
            runs = self.pythia("runs", "--json", code=0).json["runs"]
            self.assertEqual({r["state"] for r in runs}, {"succeeded"})

    def test_a_reader_that_goes_away_ends_it(self):
        w = self.watch()
        w.process.stdout.close()
        self.write("docs/soup.txt", "Pumpkin soup with ginger.\n")
        w.process.wait(timeout=LIMIT_S)
        w.process.stdout = open(os.devnull)

    def test_another_index_meanwhile_is_no_harm(self):
        w = self.watch()
        for what in ("ginger", "squash", "carrot", "celery", "walnut"):
            self.write("docs/soup.txt", "Pumpkin soup with %s.\n" % what)
            self.assertIn(self.pythia("index", "--lex-only").code, (0, 6))
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline and self.pythia("search", "walnut", "--mode", "lexical").code:
            pass
        self.assertEqual(self.found("walnut"), ["docs/soup.txt"])
        self.assertEqual(w.end(), (0, ""))

    def test_wrong_use_is_told(self):
        self.assertFails(self.pythia("watch", "--all", "."), 2, "--all and a PATH")
        self.assertFails(self.pythia("index", "--watch", "--dry-run"), 2, "--dry-run and --watch")
        self.assertFails(self.pythia("watch", "--all"), 3, "no collection to watch", "pythia watch FOLDER")
        self.assertFails(self.pythia("watch", "nowhere"), 2, "nowhere")


class WatchWithModel(PythiaTest):
    def test_vectors_follow_the_words(self):
        self.make_tree()
        w = Watcher(self, "index", "--watch")
        w.event("watching")
        self.assertEqual(w.event("embedded")["report"]["pending"], 0)
        self.write("docs/soup.txt", "Pumpkin soup with ginger.\n")
        w.sees("ginger", "docs/soup.txt")
        w.event("embedded", lambda e: e["report"]["embedded"] == 1)
        self.assertEqual(self.paths("a vegetable broth", "--mode", "semantic", "-m", "1"), ["docs/soup.txt"])

    def test_a_change_does_not_wait_for_a_long_embedding(self):
        for i in range(1500):
            self.write("many/f%d.txt" % i, "paragraph %d " % i + "tells of many animals of the sea " * 30 + "\n")
        w = Watcher(self, "index", "--watch")
        w.event("watching")
        self.write("otter.txt", "The otter swims.\n")
        report = w.sees("otter", "otter.txt")["report"]
        self.assertGreater(report["pending"], 100)  # most of the first lot is still to be embedded
        self.assertEqual(w.end(), (0, ""))
        states = {r["state"] for r in self.pythia("runs", "--json", code=0).json["runs"]}
        self.assertLessEqual(states, {"succeeded", "cancelled"})


if __name__ == "__main__":
    main()
