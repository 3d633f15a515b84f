"""Symbols: the outline of a file, definitions and uses of a name, PATH#SYMBOL, search by symbol and of whole symbols."""
import json
import unittest

from harness import PythiaTest, main

STACK = '''\
"""A stack of things."""
import os

LIMIT = 3


class Stack:
    """Last in, first out."""

    def __init__(self):
        self.items = []

    # Puts a thing on top.
    @property
    def push_item(self, item):
        self.items.append(item)
        return len(self.items)


def stack_of(*things):
    stack = Stack()
    for thing in things:
        stack.push_item(thing)
    return stack
'''
USE = "package main\n\nfunc Stack() int { return push_item() + push_item() }\n"
LONG = "def long_one(a):\n" + "".join("    a = compute(a, %d, 'some words of a statement')\n" % i for i in range(60)) + "    return a\n"


class Symbols(PythiaTest):
    needs_model = False

    def setUp(self):
        super().setUp()
        self.make_tree({"src/stack.py": STACK, "use.go": USE, "long.py": LONG, "guide.md": "# Guide\n\nwords\n\n## Stack\n\nmore\n"})
        self.age()
        self.index("--lex-only")

    def symbols(self, *args, code=0):
        return self.pythia("symbols", *args, "--json", code=code).json

    def test_the_outline_of_a_file(self):
        run = self.pythia("symbols", "src/stack.py", code=0)
        self.assertEqual(run.out.splitlines(), [
            "src/stack.py:4:variable:LIMIT:LIMIT = 3",
            "src/stack.py:7:class:Stack:class Stack",
            "src/stack.py:10:method:Stack.__init__:def __init__(self)",
            "src/stack.py:15:method:Stack.push_item:def push_item(self, item)",
            "src/stack.py:20:function:stack_of:def stack_of(*things)"])
        reply = self.symbols("src/stack.py")
        self.assertEqual((reply["mode"], reply["total"], reply["stale"]), ("file", 5, False))
        self.assertEqual(reply["results"][3] | {"uri": ""}, {
            "symbol": "Stack.push_item", "name": "push_item", "kind": "method", "signature": "def push_item(self, item)", "uri": "",
            "path": "src/stack.py", "collection": "tree", "lang": "python", "line": 15, "start_line": 13, "end_line": 17})
        self.assertEqual(len(self.symbols("src/stack.py", "--kind", "method")["results"]), 2)
        self.assertEqual([s["symbol"] for s in self.symbols("guide.md")["results"]], ["Guide", "Guide > Stack"])

    def test_a_file_that_changed_is_told(self):
        self.write("src/stack.py", STACK + "\n")
        self.assertTrue(self.symbols("src/stack.py")["stale"])
        self.assertIn("changed since it was indexed", self.pythia("symbols", "src/stack.py", code=0).err)

    def test_definitions_of_a_name(self):
        places = lambda r: [(s["path"], s["line"], s["symbol"]) for s in r["results"]]
        reply = self.symbols("Stack")
        self.assertEqual(places(reply), [("guide.md", 5, "Guide > Stack"), ("src/stack.py", 7, "Stack"), ("use.go", 3, "Stack")])
        self.assertEqual(reply["mode"], "name")
        self.assertEqual(places(self.symbols("Stack", "-t", "go")), [("use.go", 3, "Stack")])
        for name in ("push_item", "Stack.push_item", "Stack::push_item"):
            self.assertEqual(places(self.symbols(name)), [("src/stack.py", 15, "Stack.push_item")])
        reply = self.symbols("push_")
        self.assertEqual((reply["mode"], places(reply)), ("prefix", [("src/stack.py", 15, "Stack.push_item")]))
        self.assertEqual(self.symbols("Queue.push_item", code=1)["results"], [])
        self.assertIn("nothing has this name", self.pythia("symbols", "nowhere", code=1).err)
        self.assertFails(self.pythia("symbols", "src/none.py"), 3, "src/none.py")

    def test_uses_of_a_name(self):
        run = self.pythia("symbols", "push_item", "--refs", code=0)
        self.assertEqual(run.out.splitlines(), ["src/stack.py:23:stack.push_item(thing)",
                                                "use.go:3:func Stack() int { return push_item() + push_item() }"])
        reply = self.symbols("push_item", "--refs", "--limit", "1")
        self.assertEqual((len(reply["references"]), reply["total_references"], len(reply["results"])), (1, 2, 1))
        self.assertEqual(reply["references"][0]["content"], "stack.push_item(thing)")
        self.pythia("symbols", "LIMIT", "--refs", code=1)

    def test_patterns_of_the_uses_of_a_name(self):
        self.write("calls.c", "int f(void) {\n    if (!send(&a->b, 1)) return 0;\n    if (!send(&other, 22)) return 1;\n"
                              "    int n = send(c, \"text\");\n    return send(x) + send(y);\n}\nint send_all(int send);\nvoid *p = send;\n")
        self.index("--lex-only")
        reply = self.symbols("send", "--usages")
        self.assertEqual([(u["count"], u["pattern"], u["arguments"]) for u in reply["usages"]][:1], [(2, "if (!send(&_, 0))", 2)])
        self.assertLessEqual({(2, "if (!send(&_, 0))", 2), (1, "_ = send(_, \"…\")", 2), (1, "return send(_)", 1), (1, "_ = send", None)},
                             {(u["count"], u["pattern"], u["arguments"]) for u in reply["usages"]})
        self.assertEqual([(e["path"], e["line"], e["content"]) for e in reply["usages"][0]["examples"]],
                         [("calls.c", 2, "if (!send(&a->b, 1)) return 0;"), ("calls.c", 3, "if (!send(&other, 22)) return 1;")])
        two = self.symbols("int send(struct thing *t, int n)", "--usages")
        self.assertEqual({u["arguments"] for u in two["usages"]}, {2})
        self.assertEqual((two["total_usages"], len(self.symbols("send", "--usages", "-m", "1")["usages"])), (2, 1))
        run = self.pythia("symbols", "send(a, b)", "--usages", code=0)
        self.assertEqual(run.out.splitlines(), ["2\tif (!send(&_, 0))", "1\t_ = send(_, \"…\")"])
        self.assertIn("2 of 2 patterns", run.err)
        _, drawn = self.on_terminal("symbols", "send(a, b)", "--usages")
        self.assertIn("if (!send(&other, 22)) return 1;", drawn)
        self.pythia("symbols", "send(a, b, c)", "--usages", code=1)
        self.assertFails(self.pythia("symbols", "send", "--usages", "--refs"), 2, "exclude each other")
        self.assertFails(self.pythia("symbols", "(a, b)", "--usages"), 2, "'(a, b)' has no name before its brackets")

    def test_get_a_symbol_whole(self):
        run = self.pythia("get", "src/stack.py#Stack.push_item", code=0)
        self.assertEqual(run.out, "".join(line + "\n" for line in STACK.splitlines()[12:17]).rstrip("\n"))
        text = self.pythia("get", "src/stack.py#Stack::push_item", "--json", code=0).json["results"][0]
        self.assertEqual((text["start_line"], text["end_line"], text["symbol"], text["kind"]), (13, 17, "Stack.push_item", "method"))
        self.assertEqual(self.pythia("get", "long.py#long_one", code=0).out, LONG.rstrip("\n"))
        self.assertIn("## Stack", self.pythia("get", "guide.md#Guide > Stack", code=0).out)
        self.assertFails(self.pythia("get", "src/stack.py#nothing"), 3, "no symbol or heading 'nothing'")
        # moved by an edit above it
        self.write("src/stack.py", "# new\n\n" + STACK)
        text = self.pythia("get", "src/stack.py#stack_of", "--json", code=0).json["results"][0]
        self.assertEqual((text["start_line"], text["freshness"]), (22, "moved"))
        self.assertTrue(text["content"].startswith("def stack_of"))

    def test_search_by_symbol(self):
        hits = lambda *a: [(h["path"], h["symbol"], h["start_line"]) for h in
                           self.pythia("search", "--mode", "symbol", *a, "--json", code=0).json["results"]]
        self.assertEqual(hits("push item")[0], ("src/stack.py", "Stack.push_item", 13))
        self.assertEqual(hits("Stack.push_item"), [("src/stack.py", "Stack.push_item", 13)])
        found = hits("stack")
        self.assertEqual({f[1] for f in found[:2]}, {"Stack"})
        self.assertIn(("src/stack.py", "stack_of", 20), found)
        self.assertEqual(hits("stack", "-t", "go"), [("use.go", "Stack", 3)])
        self.assertEqual([h[1] for h in hits("stack", "--kind", "method")], ["Stack.__init__", "Stack.push_item"])
        self.pythia("search", "--mode", "symbol", "zzzz", code=1)

    def test_full_shows_the_whole_symbol_once(self):
        args = ("search", "compute statement", "--mode", "lexical", "--json")
        parts = self.pythia(*args, code=0).json["results"]
        self.assertGreater(len(parts), 2)
        whole = self.pythia(*args, "--full", code=0).json["results"]
        self.assertEqual(len(whole), 1)
        self.assertEqual((whole[0]["start_line"], whole[0]["end_line"], whole[0]["content"]), (1, 62, LONG.rstrip("\n")))

    def test_kind_narrows_hits(self):
        run = self.pythia("search", "stack", "--mode", "lexical", "--kind", "class,method", "--json", code=0).json
        self.assertEqual({h["kind"] for h in run["results"]} - {"class", "method"}, set())

    def test_why_tells_how_a_file_was_cut(self):
        self.assertNotIn("error", json.dumps(self.pythia("why", "src/stack.py", "--json", code=0).json["status"]))


if __name__ == "__main__":
    main()
