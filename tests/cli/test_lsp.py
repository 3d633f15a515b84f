"""`pythia lsp` as an editor drives it: heads with lengths, positions, and input that means no good."""
import json
import os
import select
import time
import urllib.parse

from harness import BINARY, LIMIT_S, PythiaTest, main, signal, subprocess

CODE = {
    "src/retry.py": '''\
"""Sending again."""


class Backoff:
    """Waits twice as long after each failed attempt."""

    def next(self, now):
        return now + self.wait


def send_again(backoff):
    café = "😀"; return backoff.next(1)
''',
    "src/lamp.py": '''\
from retry import send_again


def light_the_lamp():
    return send_again(None)
''',
    "notes/plan.md": "# Plan\\n\\n## Lamps\\n\\nBuy some.\\n",
}


class Editor:
    """The other end: requests out, answers in."""

    def __init__(self, test, cwd=None):
        self.test = test
        self.process = subprocess.Popen([BINARY, "lsp"], cwd=cwd or test.tree, env=test.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.last = 0
        test.addCleanup(self.end)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message, head=b""):
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def receive(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.process.stdout.read(1)
            if not byte:
                return None
            head += byte
        self.test.assertTrue(head.startswith(b"Content-Length: "), head)
        return json.loads(self.process.stdout.read(int(head.split()[1])))

    def notify(self, method, **params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method, **params):
        self.last += 1
        self.send({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params})
        answer = self.receive()
        self.test.assertEqual((answer["jsonrpc"], answer["id"]), ("2.0", self.last))
        return answer

    def result(self, method, **params):
        answer = self.request(method, **params)
        self.test.assertIn("result", answer, answer)
        return answer["result"]

    def initialize(self, root=None, encodings=None, tree=True):
        general = {"positionEncodings": encodings} if encodings else {}
        return self.result("initialize", processId=None, rootUri=None if root is None else root.as_uri(), capabilities={
            "general": general, "textDocument": {"documentSymbol": {"hierarchicalDocumentSymbolSupport": tree}}})


class Lsp(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree({name: text.replace("\\n", "\n") for name, text in CODE.items()})
        self.index()

    def editor(self, **how):
        editor = Editor(self)
        self.capabilities = editor.initialize(**how)["capabilities"]
        editor.notify("initialized")
        return editor

    def uri(self, name):
        return (self.tree / name).as_uri()

    def at(self, name, line, character):
        return {"textDocument": {"uri": self.uri(name)}, "position": {"line": line, "character": character}}

    def places(self, locations):
        return [(x["uri"].rsplit("/", 1)[1], x["range"]["start"]["line"], x["range"]["start"]["character"], x["range"]["end"]["character"])
                for x in locations]

    def test_a_session_from_beginning_to_end(self):
        editor = self.editor()
        self.assertEqual(self.capabilities["positionEncoding"], "utf-16")
        for what in ("workspaceSymbolProvider", "documentSymbolProvider", "definitionProvider", "referencesProvider"):
            self.assertIs(self.capabilities[what], True)
        self.assertEqual(editor.request("initialize", capabilities={})["error"]["code"], -32600)
        self.assertIsNone(editor.result("shutdown"))
        self.assertEqual(editor.request("workspace/symbol", query="x")["error"]["code"], -32600)
        editor.notify("exit")
        self.assertEqual(editor.process.wait(LIMIT_S), 0)

    def test_an_end_without_shutdown_is_told_by_the_exit_code(self):
        editor = self.editor()
        editor.notify("exit")
        self.assertEqual(editor.process.wait(LIMIT_S), 1)
        editor = self.editor()
        editor.process.stdin.close()
        self.assertEqual(editor.process.wait(LIMIT_S), 1)

    def test_the_workspace_is_searched_by_name_and_by_meaning(self):
        editor = self.editor()
        found = editor.result("workspace/symbol", query="send_again")
        self.assertEqual((found[0]["name"], found[0]["kind"]), ("send_again", 12))
        self.assertEqual(self.places([found[0]["location"]]), [("retry.py", 10, 4, 14)])
        self.assertEqual(editor.result("workspace/symbol", query="Back")[0]["name"], "Backoff")
        meant = editor.result("workspace/symbol", query="wait longer after every failure")
        self.assertIn("Backoff", {x["name"] for x in meant} | {x.get("containerName") for x in meant})
        self.assertEqual(editor.result("workspace/symbol", query=""), [])
        self.assertEqual(editor.result("workspace/symbol", query="Backoff.next")[0]["containerName"], "Backoff")
        for query in ("/", "lang:", '"', "a" * 20000):
            self.assertIn("id", editor.request("workspace/symbol", query=query))

    def test_an_outline_is_a_tree_or_a_list(self):
        tree = self.editor().result("textDocument/documentSymbol", textDocument={"uri": self.uri("src/retry.py")})
        self.assertEqual([(x["name"], x["kind"], [c["name"] for c in x["children"]]) for x in tree],
                         [("Backoff", 5, ["next"]), ("send_again", 12, [])])
        self.assertEqual(tree[0]["range"]["start"], {"line": 3, "character": 0})
        self.assertEqual(tree[0]["range"]["end"], {"line": 7, "character": 30})
        self.assertEqual(tree[0]["children"][0]["selectionRange"], {"start": {"line": 6, "character": 8}, "end": {"line": 6, "character": 12}})
        for x in tree:
            inside = x["selectionRange"]["start"]["line"]
            self.assertTrue(x["range"]["start"]["line"] <= inside <= x["range"]["end"]["line"])
        flat = self.editor(tree=False).result("textDocument/documentSymbol", textDocument={"uri": self.uri("src/retry.py")})
        self.assertEqual([(x["name"], x.get("containerName")) for x in flat], [("Backoff", None), ("next", "Backoff"), ("send_again", None)])
        self.assertEqual(self.editor().result("textDocument/documentSymbol", textDocument={"uri": (self.dir / "nowhere.py").as_uri()}), [])

    def test_definitions_and_references_of_a_position(self):
        editor = self.editor()
        self.assertEqual(self.places(editor.result("textDocument/definition", **self.at("src/lamp.py", 4, 15))), [("retry.py", 10, 4, 14)])
        self.assertEqual(self.places(editor.result("textDocument/definition", **self.at("src/lamp.py", 4, 21))), [("retry.py", 10, 4, 14)])
        self.assertEqual(editor.result("textDocument/definition", **self.at("src/lamp.py", 1, 0)), [])
        self.assertEqual(editor.result("textDocument/definition", **self.at("src/lamp.py", 999, 999)), [])
        used = editor.result("textDocument/references", **self.at("src/retry.py", 10, 6), context={"includeDeclaration": False})
        self.assertIn(("lamp.py", 4, 11, 21), self.places(used))
        self.assertNotIn("retry.py", {place[0] for place in self.places(used)})
        with_own = editor.result("textDocument/references", **self.at("src/retry.py", 10, 6), context={"includeDeclaration": True})
        self.assertEqual(self.places(with_own)[0], ("retry.py", 10, 4, 14))

    def test_positions_count_what_the_client_counts(self):
        line = CODE["src/retry.py"].splitlines()[11]
        before = line[:line.index("next")]
        for encodings, count in ((None, lambda s: len(s.encode("utf-16-le")) // 2), (["utf-16", "utf-8"], lambda s: len(s.encode()))):
            editor = self.editor(encodings=encodings)
            self.assertEqual(self.capabilities["positionEncoding"], "utf-8" if encodings else "utf-16")
            self.assertEqual(self.places(editor.result("textDocument/definition", **self.at("src/retry.py", 11, count(before)))), [("retry.py", 6, 8, 12)])
            used = editor.result("textDocument/references", **self.at("src/retry.py", 6, 9), context={})
            self.assertIn(("retry.py", 11, count(before), count(before) + 4), self.places(used))

    def test_the_editor_s_root_counts_and_not_where_it_was_started(self):
        editor = Editor(self, cwd=self.dir)
        editor.initialize(root=self.tree)
        self.assertEqual(editor.result("workspace/symbol", query="send_again")[0]["name"], "send_again")
        stray = Editor(self, cwd=self.dir)
        stray.initialize()
        error = stray.request("workspace/symbol", query="send_again")["error"]
        self.assertEqual(error["code"], -32803)
        self.assertIn("pythia index", error["message"])

    def test_requests_that_are_none_are_refused(self):
        editor = Editor(self)
        self.assertEqual(editor.request("workspace/symbol", query="x")["error"]["code"], -32002)
        editor.initialize()
        for data, code in [(b"{", -32700), (b"", -32700), (b"[]", -32600), (b"null", -32600), (b'{"id":1,"method":"shutdown"}', -32600),
                           (b'{"jsonrpc":"2.0","id":[1],"method":"shutdown"}', -32600), (b"[" * 100000, -32700),
                           (b'{"jsonrpc":"2.0","id":1,"method":"textDocument/hover"}', -32601),
                           (b'{"jsonrpc":"2.0","id":1,"method":"textDocument/definition"}', -32803),
                           (b'{"jsonrpc":"2.0","id":1,"method":"textDocument/definition","params":[1]}', -32803),
                           (b'{"jsonrpc":"2.0","id":1,"method":"textDocument/documentSymbol","params":{"textDocument":{"uri":"http://x/y"}}}', -32803),
                           (b'{"jsonrpc":"2.0","id":1,"method":"textDocument/documentSymbol","params":{"textDocument":{"uri":"file:///%zz"}}}', -32803)]:
            editor.send(data)
            self.assertEqual(editor.receive()["error"]["code"], code, data[:60])
        self.assertEqual(editor.request("textDocument/definition", textDocument={"uri": self.uri("src/lamp.py")},
                                        position={"line": -1, "character": 0})["error"]["code"], -32803)
        for quiet in ({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {}}, {"jsonrpc": "2.0", "method": "$/unknown"},
                      {"jsonrpc": "2.0", "id": 9, "result": None}, {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 77}}):
            editor.send(quiet)
        self.assertIsNone(editor.result("shutdown"))

    def test_heads_in_pieces_and_with_more_in_them(self):
        editor = Editor(self)
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}).encode()
        for byte in b"content-length:%d\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n" % len(body) + body:
            editor.write(bytes([byte]))
        self.assertEqual(editor.receive()["id"], 1)
        editor.send({"jsonrpc": "2.0", "id": 2, "method": "workspace/symbol", "params": {"query": "Backoff"}}, head=b"X-Other: 1\r\n")
        self.assertEqual(editor.receive()["id"], 2)

    def test_what_has_no_length_ends_it(self):
        for data in (b"Content-Length: x\r\n\r\n{}", b"Content-Length: 99999999999\r\n\r\n", b"Content-Length: -1\r\n\r\n", b"hello\r\n\r\n",
                     b"Content-Type: x\r\n\r\n{}", b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", b"x" * 5000, b"{}\n" * 3000):
            editor = Editor(self)
            try:
                editor.write(data)
            except BrokenPipeError:
                pass
            self.assertEqual(editor.receive()["error"]["code"], -32700)
            self.assertIsNone(editor.receive())
            self.assertEqual(editor.process.wait(LIMIT_S), 2)

    def test_many_requests_may_be_under_way(self):
        editor = self.editor()
        for i in range(60):
            editor.send({"jsonrpc": "2.0", "id": "q%d" % i, "method": "workspace/symbol", "params": {"query": "Backoff"}})
        self.assertEqual(sorted(editor.receive()["id"] for _ in range(60)), sorted("q%d" % i for i in range(60)))


if __name__ == "__main__":
    main()
