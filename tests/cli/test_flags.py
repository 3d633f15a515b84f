"""Commands and flags as a user types them: help, mistakes and their messages, completion, the manual."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from harness import PythiaTest, main

COMMANDS = ["search", "get", "index", "status", "why", "runs", "collection", "model", "embed", "tokenize", "eval", "bench", "doctor",
            "verify", "serve", "mcp", "health", "token", "config", "completion", "help", "version"]
LEAVES = ["search", "get", "index", "status", "why", "runs list", "runs show", "runs cancel", "collection list", "collection show",
          "collection rename", "collection rm", "model list", "model import", "model verify", "model use", "model rm", "embed", "tokenize", "watch", "eval run",
          "bench embed", "serve", "mcp", "health", "token list", "token create", "token revoke", "doctor", "verify", "config list", "config get", "config set", "config path", "config trust", "completion", "help",
          "version"]


class Help(PythiaTest):
    needs_model = False

    def test_top_help_fits_one_screen_and_names_every_command(self):
        run = self.pythia("--help", code=0)
        lines = run.out.rstrip("\n").split("\n")
        self.assertLessEqual(len(lines), 40)  # a window, not a card: two dozen commands are on their way
        self.assertLessEqual(max(map(len, lines)), 80)
        for command in COMMANDS:
            self.assertRegex(run.out, r"(?m)^ .{7}%s\b" % command)
        self.assertEqual(run.out, self.pythia("help", code=0).out)

    def test_help_of_a_command_is_the_same_in_both_spellings_and_has_an_example(self):
        for leaf in LEAVES:
            words = leaf.split()
            run = self.pythia("help", *words, code=0)
            self.assertEqual(run.out, self.pythia(*words, "--help", code=0).out, leaf)
            self.assertIn("example", run.out)
            self.assertIn("pythia " + words[0], run.out.split("example")[1])
            self.assertEqual(run.err, "")

    def test_help_of_a_group_lists_its_subcommands(self):
        for group, subs in {"collection": ["list", "show", "rename", "rm"], "model": ["list", "import", "verify"],
                            "config": ["get", "set", "list", "path"], "runs": ["list", "show"], "eval": ["run"]}.items():
            for out in (self.pythia("help", group, code=0).out, self.pythia(group, "--help", code=0).out):
                for sub in subs:
                    self.assertIn("pythia %s %s" % (group, sub), out)

    def test_every_flag_of_the_interface_is_in_help(self):
        search = self.pythia("search", "--help", code=0).out
        for flag in ["-m, --limit", "--mode", "-t, --lang", "-g, --glob", "--kind", "--in", "--since", "--until", "--min-score",
                     "-A,", "-B,", "-C,", "-l,", "--full", "--explain", "--max-tokens", "--deadline", "--json", "--jsonl", "--format"]:
            self.assertIn(flag, search)
        index = self.pythia("index", "--help", code=0).out
        for flag in ["--collection", "--store", "--backend", "--index", "--model", "--dry-run", "--force", "--jobs",
                     "--max-file-size", "--hidden", "--no-ignore", "--lex-only", "--progress"]:
            self.assertIn(flag, index)

    def test_version(self):
        self.assertRegex(self.pythia("version", code=0).out, r"^pythia \d+\.\d+\.\d+\n$")
        self.assertEqual(self.pythia("--version", code=0).out, self.pythia("version").out)
        self.assertEqual(self.pythia("version", "--json", code=0).json["status"], "ok")

    def test_the_manual_in_the_tree_is_what_the_program_makes(self):
        page = pathlib.Path(__file__).resolve().parents[2] / "docs" / "cli.md"
        made = self.pythia("help", "--markdown", code=0).out
        self.assertEqual(page.read_text(), made, "run: build/pythia help --markdown > docs/cli.md")
        for leaf in LEAVES:
            self.assertIn("\n## pythia %s\n" % leaf, made)


class Mistakes(PythiaTest):
    needs_model = False

    def test_an_unknown_command_names_the_nearest_and_lists_all(self):
        run = self.pythia("serach", "x")
        self.assertFails(run, 2, "unknown command 'serach'", "did you mean 'search'", "run: pythia help")
        for command in COMMANDS:
            self.assertIn(command, run.err)
        self.assertNotIn("did you mean", self.pythia("zzzzzzzz").err)

    def test_an_unknown_subcommand_lists_the_valid_ones(self):
        self.assertFails(self.pythia("model", "lst"), 2, "'lst'", "did you mean 'list'", "list, import, pull, distill, use, rm, verify")
        self.assertFails(self.pythia("eval"), 2, "needs a subcommand", "valid: init, run, report, gate")

    def test_an_unknown_flag_lists_the_valid_ones_of_that_command(self):
        run = self.pythia("search", "--lmit", "3", "x")
        self.assertFails(run, 2, "unknown flag '--lmit' of 'pythia search'", "did you mean '--limit'", "--max-tokens",
                         "run: pythia help search")
        self.assertNotIn("--lex-only", run.err)
        self.assertFails(self.pythia("index", "-Z"), 2, "unknown flag '-Z' of 'pythia index'", "--lex-only")

    def test_bad_values_name_the_value_and_what_is_valid(self):
        for args, parts in {
            ("search", "x", "--mode", "fuzzy"): ["'fuzzy'", "hybrid", "semantic", "lexical"],
            ("search", "x", "--mode=fuzzy"): ["'fuzzy'", "hybrid"],
            ("search", "x", "-m", "many"): ["'many'", "whole number"],
            ("search", "x", "-m0"): ["'0'"],
            ("search", "x", "--limit=-5"): ["'-5'"],
            ("search", "x", "--min-score", "high"): ["'high'"],
            ("search", "x", "--format", "xml"): ["'xml'", "text, json, jsonl, md, files, vimgrep"],
            ("search", "x", "--since", "yesterdayish"): ["--since", "'yesterdayish'", "2026-11-21"],
            ("search", "x", "--deadline", "soon"): ["'soon'"],
            ("search", "x", "-C", "-1"): ["'-1'", "0 to"],
            ("search", "x", "--max-tokens", "0"): ["'0'", "1 to"],
            ("search", "x", "--json", "--format", "md"): ["two output formats"],
            ("search", "x", "--null"): ["-l"],
            ("search", "x", "-t", "c,,d"): ["empty item"],
            ("search", "x", "--config", "nonsense"): ["'nonsense'", "section.key=value"],
            ("search", "x", "--config", "search.limt=3"): ["search.limt", "search.limit"],
            ("search", " "): ["query is empty"],
            ("index", "--max-file-size", "huge"): ["'huge'"],
            ("index", "--store", "postgres"): ["'postgres'", "local"],
            ("index", "--index", "tree"): ["'tree'", "flat|exact|hnsw|ivfpq"],
            ("index", "no-such-folder"): ["'no-such-folder'"],
            ("embed", "--kind", "poem", "x"): ["'poem'", "query, document"],
            ("completion", "tcsh"): ["'tcsh'", "bash, zsh, fish"],
            ("runs", "show", "twelve"): ["'twelve'", "number"],
        }.items():
            run = self.pythia(*args)
            if "json" in " ".join(args):
                self.assertEqual(run.code, 2)
                self.assertIn(parts[0], run.json["error"]["message"])
            else:
                self.assertFails(run, 2, *parts)

    def test_missing_and_superfluous_arguments(self):
        self.assertFails(self.pythia("search"), 2, "needs QUERY", "run: pythia help search")
        self.assertFails(self.pythia("search", "x", "--limit"), 2, "'--limit' needs a value N")
        self.assertFails(self.pythia("search", "x", "-m"), 2, "'-m' needs a value N")
        self.assertFails(self.pythia("search", "x", "--json=yes", "--format=text"), 2, "takes no value", "'yes'")
        self.assertFails(self.pythia("version", "now"), 2, "cannot use the argument 'now'")
        self.assertFails(self.pythia("collection", "rename", "a"), 2, "needs FROM TO")

    def test_unquoted_words_are_told_to_be_quoted(self):
        run = self.pythia("search", "retry", "with", "backoff")
        self.assertFails(run, 2, "'with'", 'run: pythia search "retry with backoff"')

    def test_errors_with_json_are_an_envelope_on_stdout(self):
        for args in (["search", "x", "--json", "--nonsense"], ["search", "x", "--format", "json"], ["search", "x", "--format=jsonl"],
                     ["sarch", "--json"], ["status", "nope", "--json"], ["get", "nope.c", "--json"]):
            run = self.pythia(*args)
            self.assertIn(run.code, (2, 3), args)
            envelope = run.json
            self.assertEqual(envelope["status"], "error")
            self.assertEqual(set(envelope["error"]), {"code", "message", "fix"})
            self.assertEqual(run.err, "", args)
            self.assertEqual(len(run.out.strip().split("\n")), 1)

    def test_an_error_message_cannot_drive_the_terminal(self):
        run = self.pythia("search", "x", "--mode", "\x1b[31mred\x1b]0;title\x07\u202e")
        self.assertEqual(run.code, 2)
        for bad in "\x1b\x07\u202e":
            self.assertNotIn(bad, run.err)
        run = self.pythia("\x1b[31msearch")
        self.assertNotIn("\x1b", run.err)

    def test_a_full_output_device_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([os.environ["PYTHIA_BINARY"], "help"], stdout=full, stderr=subprocess.PIPE, env=self.env)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"No space left", done.stderr)

    def test_a_reader_that_goes_away_is_no_error(self):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([os.environ["PYTHIA_BINARY"], "help", "--markdown"], stdout=write, stderr=subprocess.PIPE, env=self.env)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_closed_standard_streams_do_no_harm(self):
        for closed in ("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"):
            done = subprocess.run(["sh", "-c", '"$PYTHIA" version ' + closed], env={**self.env, "PYTHIA": os.environ["PYTHIA_BINARY"]},
                                  capture_output=True)
            self.assertEqual(done.returncode, 0, closed)


class Spellings(PythiaTest):
    needs_model = False

    def value(self, *args):
        """The limit that `config get` sees; flags of configuration stand on every command as --config."""
        return self.pythia("config", *args, code=0).out.strip()

    def test_flags_stand_before_and_after_and_between_arguments(self):
        for args in (["get", "search.limit", "--config", "search.limit=7"], ["get", "--config=search.limit=7", "search.limit"],
                     ["get", "--config", "search.limit=3", "search.limit", "--config", "search.limit=7"]):
            self.assertEqual(self.value(*args), "7")

    def test_a_double_dash_ends_the_flags(self):
        self.assertFails(self.pythia("search", "--", "--json"), 3, "pythia index")  # a query that looks like a flag
        self.assertFails(self.pythia("config", "get", "--", "--json"), 2, "'--json'")

    def test_short_flags_take_their_value_in_any_spelling(self):
        for spelling in (["-m5"], ["-m", "5"], ["-m=5"], ["--limit=5"], ["--limit", "5"]):
            self.assertFails(self.pythia("search", "x", *spelling), 3)  # parsed; nothing is indexed
            self.assertFails(self.pythia("search", *spelling, "x"), 3)
        self.assertFails(self.pythia("search", "-l0", "x"), 3)
        self.assertFails(self.pythia("search", "-l0m5", "x"), 3)
        self.assertFails(self.pythia("search", "-l0mfive", "x"), 2, "'five'")


class Completion(PythiaTest):
    needs_model = False

    def bash(self, line):
        """What Tab offers at the end of the line."""
        words = line.split(" ")
        script = "%s\nCOMP_WORDS=(%s)\nCOMP_CWORD=%d\n_pythia\nprintf '%%s\\n' \"${COMPREPLY[@]}\"\n" % (
            self.pythia("completion", "bash", code=0).out, " ".join("'%s'" % w for w in words), len(words) - 1)
        path = os.path.dirname(os.environ["PYTHIA_BINARY"]) + ":" + self.env["PATH"]
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env={**self.env, "PATH": path}, cwd=self.tree)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_bash_offers_commands_subcommands_flags_and_values(self):
        self.assertEqual(self.bash("pythia sea"), ["search"])
        self.assertEqual(sorted(self.bash("pythia collection ")), ["list", "rename", "rm", "show"])
        self.assertIn("--max-tokens", self.bash("pythia search --m"))
        self.assertEqual(sorted(self.bash("pythia search x --mode ")), ["hybrid", "lexical", "regex", "semantic", "symbol"])
        self.assertIn("--quiet", self.bash("pythia model list --"))
        self.assertIn("vimgrep", self.bash("pythia search --format "))

    def test_every_flag_is_in_every_script(self):
        flags = set(re.findall(r"(?m)^(?:  -., |      )--([a-z-]+)", self.pythia("search", "--help").out))
        self.assertIn("deadline", flags)
        for shell in ("bash", "zsh", "fish"):
            script = self.pythia("completion", shell, code=0).out
            for flag in flags:
                self.assertIn(flag, script)

    def test_the_scripts_are_valid_in_their_shells(self):
        for shell, check in {"bash": ["-n"], "zsh": ["-n"], "fish": ["--no-execute"]}.items():
            script = self.pythia("completion", shell, code=0).out
            if not shutil.which(shell):
                continue  # only the shells of this machine can say
            done = subprocess.run([shell, *check], input=script, text=True, capture_output=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""), shell)


if __name__ == "__main__":
    main()
