"""What a person sees: colours, links, bars, and never a byte of somebody else's that the terminal would obey."""
import json
import os
import pty
import re
import subprocess
import unittest

from harness import BINARY, PythiaTest, TREE, main

ESCAPES = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;;[!-~]*\x1b\\")  # the only two kinds that Pythia's results use


class Terminal(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.age()

    def test_hits_are_drawn_with_header_lines_links_and_colours(self):
        self.index()
        code, drawn = self.on_terminal("search", "exponential backoff", "-m1")
        self.assertEqual(code, 0)
        host = os.uname().nodename
        self.assertIn("\x1b]8;;file://%s%s/src/net/retry.c\x1b\\" % (host, self.tree), drawn)
        self.assertIn("\x1b]8;;\x1b\\", drawn)
        self.assertRegex(drawn, r"\x1b\[[0-9;]*mbackoff", "matched words are marked")
        plain = ESCAPES.sub("", drawn).replace("\r\n", "\n")
        self.assertNotIn("\x1b", plain)
        self.assertRegex(plain, r"(?m)^src/net/retry\.c:1-10  backoff_next\(\)  [01]\.\d\d  #\w+  c · function$")
        self.assertRegex(plain, r"(?m)^    4 │ static int backoff_next\(struct backoff \*b, uint64_t now\)$")
        self.assertRegex(plain, r"(?m)^   …$")
        self.assertRegex(plain, r"(?m)^1 of \d+ hits · [\d.]+ m?s · index 100 %$")

    def test_full_shows_the_whole_hit(self):
        self.index()
        _, drawn = self.on_terminal("search", "exponential backoff", "-m1", "--full", columns=140)
        plain = ESCAPES.sub("", drawn)
        for number, line in enumerate(TREE["src/net/retry.c"].split("\n")[:-1], 1):
            self.assertIn("%5d │ %s" % (number, line), plain)
        self.assertNotIn("…", plain)

    def test_no_color_means_no_escape_at_all(self):
        self.index()
        for args, env in ((["--no-color"], {}), (["--color", "never"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"}),
                          ([], {"PYTHIA_UI_COLOR": "never"})):
            _, drawn = self.on_terminal("search", "exponential backoff", *args, env=env)
            self.assertNotIn("\x1b", drawn, (args, env))
            self.assertIn("src/net/retry.c:1-10", drawn)

    def test_color_always_gives_a_pager_the_terminals_form_without_links(self):
        self.index()
        out = self.pythia("search", "exponential backoff", "--color", "always", code=0).out
        self.assertIn("\x1b[", out)
        self.assertNotIn("\x1b]8", out)
        self.assertIn(" │ ", out)

    def test_long_lines_are_cut_to_the_width_on_a_terminal_only(self):
        self.write("wide.txt", "zeppelin " + "wide 宽 " * 60 + "end\n")
        self.index()
        for columns in (40, 80, 133):
            _, drawn = self.on_terminal("search", "zeppelin", "--mode", "lexical", columns=columns)
            line = [l for l in ESCAPES.sub("", drawn).split("\r\n") if "│" in l][0]
            width = len(line) + line.count("宽")
            self.assertLessEqual(width, columns, line)
            self.assertGreaterEqual(width, columns - 2, line)
            self.assertTrue(line.endswith("…"))
        self.assertTrue(self.pythia("search", "zeppelin", "--mode", "lexical", code=0).out.rstrip().endswith("end"))

    def test_hostile_content_and_names_are_shown_not_obeyed(self):
        evil = "zeppelin \x1b[2J\x1b]0;owned\x07\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\ \u009b31m \u202e rtl \x7f\x08\r overwritten\n"
        self.write("\x1b[31mevil\n\u202e.txt", evil)
        self.index()
        for args in (["search", "zeppelin", "--mode", "lexical"], ["search", "zeppelin", "--mode", "lexical", "--explain", "-C2"],
                     ["search", "zeppelin", "--mode", "lexical", "-l"], ["search", "zeppelin", "--mode", "lexical", "--json"],
                     ["get", "\x1b[31mevil\n\u202e.txt"], ["status"], ["why", "\x1b[31mevil\n\u202e.txt"], ["index", "--dry-run", "--force"]):
            _, drawn = self.on_terminal(*args)
            rest = ESCAPES.sub("", drawn.replace("\r\n", "\n").replace("\r\x1b[K", ""))
            for bad in ("\x1b", "\x07", "\x08", "\x7f", "\x9b", "\r"):
                self.assertNotIn(bad, rest, (args, rest))
            if "--json" not in args:
                self.assertNotIn("\u202e", rest, args)
            self.assertNotIn("evil\x1b\\click", drawn)
        _, drawn = self.on_terminal("search", "zeppelin", "--mode", "lexical")
        self.assertIn("␛[2J␛]0;owned␇", ESCAPES.sub("", drawn))
        self.assertIn('"\\033[31mevil\\n\\342\\200\\256.txt":1', ESCAPES.sub("", drawn))

    def test_the_bar_shows_rate_and_share_and_leaves_nothing_behind(self):
        for i in range(300):
            self.write("many/file%03d.txt" % i, "This is item %d of the warehouse, on shelf %d.\n" % (i, i * 7))
        code, drawn = self.on_terminal("index")
        self.assertEqual(code, 0)
        frames = drawn.split("\r\x1b[K")
        self.assertGreater(len(frames), 2)
        self.assertTrue(any(re.search(r"(read|embed) .*\d+/\d+ +\d+ %", f) for f in frames), frames[:5])
        self.assertTrue(any("█" in f or "▏" in f or "▌" in f for f in frames))
        for frame in frames[1:-1]:
            self.assertLess(len(frame), 100)
            self.assertNotIn("\n", frame)
        self.assertRegex(ESCAPES.sub("", frames[-1]), r"^tree \(.*\): 305 added, 1 skipped\r\n")
        self.assertIn('next: pythia search "a question"', frames[-1])

    def test_progress_forms(self):
        err = self.pythia("index", "--progress", "json", code=0).err
        events = [json.loads(line) for line in err.strip().split("\n")]
        self.assertTrue(all(e["event"] == "progress" for e in events))
        self.assertTrue(events[-1]["finished"])
        self.assertEqual(self.pythia("index", "--force", "--progress", "none", code=0).err, "")
        self.assertRegex(self.pythia("index", "--force", "--progress", "plain", code=0).err, r"(?m)^pythia: tree: walk ")
        _, drawn = self.on_terminal("index", "--force", "--progress", "none")
        self.assertNotIn("\r\x1b[K", drawn)

    def test_get_status_and_lists_are_readable(self):
        self.index()
        _, drawn = self.on_terminal("get", "src/dates.py:5:2")
        plain = ESCAPES.sub("", drawn).replace("\r\n", "\n")
        self.assertTrue(plain.startswith("src/dates.py:5-6\n    5 │ def parse_iso8601(text):\n"), plain)
        _, drawn = self.on_terminal("collection")
        self.assertRegex(ESCAPES.sub("", drawn), r"NAME +DOCUMENTS +CHUNKS +VECTORS +SIZE +MODEL +ROOT")
        _, drawn = self.on_terminal("doctor")
        self.assertIn("✓", drawn)

    def test_removing_asks_first(self):
        self.index()
        for answer, kept in ((b"n\n", True), (b"y\n", False)):
            parent, child = pty.openpty()
            process = subprocess.Popen([BINARY, "collection", "rm", "tree"], stdin=child, stdout=child, stderr=child, env=self.env,
                                       cwd=self.tree, start_new_session=True)
            os.close(child)
            drawn = b""
            while b"y/N" not in drawn:
                drawn += os.read(parent, 4096)
            os.write(parent, answer)
            try:
                while os.read(parent, 4096):
                    pass
            except OSError:
                pass
            os.close(parent)
            self.assertEqual(process.wait(), 1 if kept else 0)
            self.assertEqual(bool(self.pythia("collection", "list", "-q", code=0).out), kept)


if __name__ == "__main__":
    main()
