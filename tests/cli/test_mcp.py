"""MCP on stdio and over HTTP, both eras, message by message. (tests/clients drives it with the official SDK.)"""
import base64
import http.client
import json
import os
import socket
import threading
import time
import urllib.parse

from harness import BINARY, LIMIT_S, MODEL_NAME, PythiaTest, main, signal, subprocess
from llm import Llm

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"}}
TOOLS = ["search", "ask", "read", "similar", "symbols", "index", "status", "embed"]


class Rules:
    """What both transports have to keep; `ask` sends one message and gives the answer."""

    def result(self, method, params=None, modern=False):
        answer = self.ask(method, params, modern)
        self.assertNotIn("error", answer, answer)
        if modern:
            self.assertEqual(answer["result"]["resultType"], "complete")
            self.assertEqual(answer["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "pythia")
        return answer["result"]

    def code(self, method, params=None, modern=False):
        return self.ask(method, params, modern)["error"]["code"]

    def tool(self, name, arguments, modern=False):
        r = self.result("tools/call", {"name": name, "arguments": arguments}, modern)
        if not r["isError"]:
            self.assertEqual(json.loads(r["content"][0]["text"]), r["structuredContent"])
            self.assertLessEqual(len(r["content"][0]["text"]), 40000)
        else:
            self.assertTrue(r["content"][0]["text"])
            self.assertNotIn("structuredContent", r)
        return r

    def initialize(self, version):
        return self.result("initialize", {"protocolVersion": version, "capabilities": {},
                                          "clientInfo": {"name": "test", "version": "1"}})

    def test_the_handshake_agrees_on_a_version(self):
        for asked, got in [("2024-11-05", "2024-11-05"), ("2025-03-26", "2025-03-26"), ("2025-06-18", "2025-06-18"),
                           ("2025-11-25", "2025-11-25"), ("1999-01-01", "2025-11-25"), ("2026-07-28", "2025-11-25")]:
            r = self.initialize(asked)
            self.assertEqual(r["protocolVersion"], got)
            self.assertEqual(r["serverInfo"]["name"], "pythia")
            self.assertIn("tools", r["capabilities"])
            self.assertIn("tree", r["instructions"])
            self.assertLessEqual(len(r["instructions"]), 2048)
        self.assertEqual(self.result("ping"), {})

    def test_discover(self):
        r = self.result("server/discover", {}, modern=True)
        self.assertEqual(r["supportedVersions"][0], "2026-07-28")
        self.assertIn("2025-11-25", r["supportedVersions"])
        self.assertEqual((r["ttlMs"], r["cacheScope"]), (0, "private"))
        self.assertEqual(self.code("server/discover", {}), -32602)
        self.assertEqual(self.code("server/discover", {"_meta": {**META, "io.modelcontextprotocol/protocolVersion": "2030-01-01"}}),
                         -32022)
        self.assertEqual(self.code("tools/list", {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}), -32602)
        for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe"]:
            self.assertEqual(self.code(method, {}, modern=True), -32601)

    def test_tools_are_listed_as_every_client_takes_them(self):
        for modern in (False, True):
            r = self.result("tools/list", {}, modern)
            self.assertEqual([t["name"] for t in r["tools"]], TOOLS)
            self.assertLess(len(json.dumps(r["tools"])) / 4, 2000)  # tokens, roughly
            for t in r["tools"]:
                self.assertRegex(t["name"], "^[A-Za-z0-9_-]{1,40}$")
                self.assertTrue(10 <= len(t["description"]) <= 1024)
                schema = t["inputSchema"]
                self.assertEqual((schema["type"], schema["additionalProperties"]), ("object", False))
                for p in schema["properties"].values():
                    self.assertIsInstance(p["type"], str)
                    self.assertTrue(p["description"])
                    self.assertFalse({"anyOf", "oneOf", "allOf", "$ref"} & set(p))
                    if p["type"] == "array":
                        self.assertIn("items", p)
                self.assertEqual(t["outputSchema"]["type"], "object")
                self.assertEqual(t["annotations"]["readOnlyHint"], t["name"] != "index")
        self.assertEqual(self.code("tools/list", {"cursor": "x"}), -32602)

    def test_tools_do_what_the_command_line_does(self):
        by_cli = self.search("exponential backoff", "-m", "2")
        for modern in (False, True):
            got = self.tool("search", {"query": "exponential backoff", "limit": 2, "collections": ["tree"]}, modern)["structuredContent"]
            del got["took_ms"]
            self.assertEqual(got, {k: v for k, v in by_cli.items() if k != "took_ms"})
        hit = got["results"][0]
        self.assertEqual(self.tool("read", {"id": hit["id"]})["structuredContent"]["results"][0]["content"], hit["content"])
        part = self.tool("read", {"path": "src/net/retry.c", "start_line": 4, "lines": 1})["structuredContent"]["results"][0]
        self.assertEqual(part["content"], "static int backoff_next(struct backoff *b, uint64_t now)\n")
        self.assertEqual(self.tool("status", {})["structuredContent"]["collections"][0]["name"], "tree")
        self.assertEqual(len(self.tool("embed", {"text": "a"})["structuredContent"]["embedding"]), 384)

    def test_failures_of_tools_are_results(self):
        for name, arguments, part in [("search", {}, "'query' is missing"), ("search", {"query": "a", "limit": 0}, "1 to 1000"),
                                      ("search", {"query": "a", "filters": {}}, "unknown argument 'filters'; valid: query"),
                                      ("search", {"query": "a", "collections": ["none"]}, "none"),
                                      ("read", {"path": "/etc/passwd"}, "no indexed document"),
                                      ("read", {"path": "../../etc/passwd"}, "no indexed document"),
                                      ("read", {"id": "k00000"}, "k00000"), ("index", {"path": "/etc"}, "may be indexed"),
                                      ("index", {"documents": []}, "unknown argument")]:
            r = self.tool(name, arguments)
            self.assertTrue(r["isError"], (name, arguments))
            self.assertIn(part, r["content"][0]["text"])
        self.assertEqual(self.code("tools/call", {"name": "nope", "arguments": {}}), -32602)
        self.assertEqual(self.code("tools/call", {"name": "tokenize", "arguments": {}}), -32602)
        self.assertEqual(self.code("tools/call", {"name": "search", "arguments": [1]}), -32602)
        self.assertEqual(self.code("tools/call", {}), -32602)
        self.assertEqual(self.code("no/such"), -32601)

    def test_searches_are_narrowed_by_what_documents_say_of_themselves(self):
        for name, author, date in [("ebb", "Anna Berg", "2021-02-03"), ("flood", "Ola Lind", "2023-02-03")]:
            self.write(name + ".md", "---\nauthor: %s\ndate: %s\n---\nA needle of the sea.\n" % (author, date))
        self.index("--lex-only")

        def found(query):
            hits = self.tool("search", {"query": query, "mode": "lexical"})["structuredContent"]["results"]
            return [(h["path"], h["metadata"]["author"]) for h in hits]
        self.assertEqual(found("needle author:berg"), [("ebb.md", "Anna Berg")])
        self.assertEqual(found("needle date>=2023 date<2024"), [("flood.md", "Ola Lind")])
        for name in ("ebb.md", "flood.md"):
            (self.tree / name).unlink()
        self.index("--lex-only")

    def test_replies_are_cut_at_their_limit(self):
        self.write("big.txt", "".join("line %d of a long text about whales\n" % i for i in range(4000)))
        self.index()
        r = self.tool("read", {"path": "big.txt", "collection": "tree"})["structuredContent"]
        self.assertTrue(r["truncated"])
        self.assertIn("start_line", r["note"])
        many = self.tool("search", {"query": "whales", "limit": 1000, "mode": "lexical"})["structuredContent"]
        self.assertTrue(many["has_more"])
        (self.tree / "big.txt").unlink()
        self.index()

    def test_a_run_is_told_of_to_who_asks_for_its_progress(self):
        for number, (token, modern) in enumerate([("a", False), (7, False), ("b", True)]):
            self.write("more-%d.txt" % number, "A text about lighthouses, number %d." % number)
            news, answer = self.told("index", {"path": str(self.tree)}, token, modern)
            self.assertEqual({n["method"] for n in news}, {"notifications/progress"})
            self.assertEqual([n["params"]["progressToken"] for n in news], [token] * len(news))
            steps = [n["params"]["progress"] for n in news]
            self.assertEqual(steps, sorted(set(steps)))
            self.assertTrue(all(n["params"]["message"] for n in news))
            reply = answer["result"]["structuredContent"]
            self.assertEqual((reply["report"]["added"], reply["report"]["unchanged"]), (1, 5 + number))
        self.assertNotIn("report", self.tool("index", {"path": str(self.tree)})["structuredContent"])  # nobody asked
        news, answer = self.told("ask", {"question": "how many sheets does the paper tray take?"}, 1)
        self.assertEqual(news[0]["params"]["message"], "read")
        self.assertIn("fifty sheets", answer["result"]["structuredContent"]["answer"])
        for token in (None, 1.5, ["a"], {}):
            news, answer = self.told("ask", {"question": "how many sheets does the paper tray take?"}, token)
            self.assertEqual((news, answer["result"]["isError"]), ([], False))

    def test_a_run_that_lasts_is_answered_for_at_the_deadline_of_tools(self):
        for number in range(300):
            self.write("many/%d.txt" % number, "A text about lighthouses and ships, number %d." % number)
        self.restart(PYTHIA_SERVE_TOOL_DEADLINE="1ms")
        _, answer = self.told("index", {"path": str(self.tree)}, 1)
        reply = answer["result"]["structuredContent"]
        self.assertNotIn("report", reply)
        self.assertGreater(reply["run"], 0)

    def hang(self, workers):
        """A service that is to write for the server, and hangs."""
        llm = Llm()
        self.addCleanup(llm.close)
        llm.faults = ["hang"]
        self.restart(NO_PROXY="127.0.0.1", PYTHIA_ASK_URL=llm.url, PYTHIA_ASK_MODEL="tiny", PYTHIA_SERVE_WORKERS=str(workers),
                     PYTHIA_SERVE_TOOL_DEADLINE="60s")
        return llm

    def until(self, true):
        deadline = time.monotonic() + LIMIT_S
        while not true():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_resources_prompts_completion(self):
        self.assertEqual([r["uri"] for r in self.result("resources/list")["resources"]], ["pythia://status"])
        self.assertEqual(self.result("resources/templates/list")["resourceTemplates"][0]["uriTemplate"],
                         "pythia://{collection}/{+path}")
        read = self.result("resources/read", {"uri": "pythia://tree/docs/soup.txt"})["contents"][0]
        self.assertIn("Tomato", read["text"])
        self.assertEqual(read["mimeType"], "text/plain")
        status = self.result("resources/read", {"uri": "pythia://status"}, modern=True)
        self.assertEqual(json.loads(status["contents"][0]["text"])["status"], "ok")
        for uri in ["pythia://tree/none.txt", "pythia://tree/../outside", "pythia://tree/%2e%2e/x", "file:///etc/passwd",
                    "pythia://none/a", "pythia://", "pythia://tree", "pythia://tree/"]:
            self.assertEqual(self.code("resources/read", {"uri": uri}), -32002, uri)
            self.assertEqual(self.code("resources/read", {"uri": uri}, modern=True), -32602, uri)
            self.assertEqual(self.ask("resources/read", {"uri": uri}, True)["error"]["data"], {"uri": uri})
        self.assertEqual(self.code("resources/read", {"uri": "pythia://tree/%00"}), -32602)
        self.assertEqual(self.code("resources/read", {}), -32602)
        self.assertEqual([p["name"] for p in self.result("prompts/list")["prompts"]], ["explore", "answer_with_sources"])
        text = self.result("prompts/get", {"name": "explore", "arguments": {"topic": "locks"}})["messages"][0]["content"]["text"]
        self.assertIn("locks", text)
        self.assertEqual(self.code("prompts/get", {"name": "explore"}), -32602)
        self.assertEqual(self.code("prompts/get", {"name": "nope", "arguments": {"topic": "a"}}), -32602)
        template = {"type": "ref/resource", "uri": "pythia://{collection}/{+path}"}
        done = self.result("completion/complete", {"ref": template, "argument": {"name": "collection", "value": "t"}})
        self.assertEqual(done["completion"], {"values": ["tree"], "total": 1, "hasMore": False})
        done = self.result("completion/complete", {"ref": template, "argument": {"name": "path", "value": "docs/"},
                                                   "context": {"arguments": {"collection": "tree"}}})
        self.assertEqual(done["completion"]["values"], ["docs/guide.md", "docs/soup.txt"])
        self.assertEqual(self.code("completion/complete", {"ref": {"type": "x"}}), -32602)
        self.assertEqual(self.result("logging/setLevel", {"level": "info"}), {})
        self.assertEqual(self.code("logging/setLevel", {"level": "loud"}), -32602)


class Stdio(Rules, PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.index()
        self.start()

    def start(self, cwd=None, **more):
        # SDK clients pass no other variables.
        env = {k: v for k, v in self.env.items() if k in ("HOME", "PATH", "TERM", "PYTHIA_HOME") or k.endswith("SAN_OPTIONS")}
        env.update(more)
        self.process = subprocess.Popen([BINARY, "mcp"], cwd=cwd or self.tree, env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(self.stop, self.process)
        self.next = 0

    def restart(self, **env):
        self.start(**env)

    def stop(self, process):
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()

    def told(self, name, arguments, token, modern=False):
        """What is told of a call before its answer, and that."""
        self.send({"jsonrpc": "2.0", "id": "told", "method": "tools/call",
                   "params": {"name": name, "arguments": arguments, "_meta": {**(META if modern else {}), "progressToken": token}}})
        news = []
        while "id" not in (message := self.receive()):
            news.append(message)
        self.assertEqual(message["id"], "told")
        return news, message

    def send(self, message):
        data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def receive(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, method, params=None, modern=False):
        self.next += 1
        params = dict(params or {})
        if modern:
            params["_meta"] = META
        self.send({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params})
        answer = self.receive()
        self.assertEqual((answer["jsonrpc"], answer["id"]), ("2.0", self.next))
        return answer

    def test_lines_that_are_no_messages(self):
        for line, code in [(b"{\n", -32700), (b"[" * 5000 + b"\n", -32700), (b"[]\n", -32600), (b"1\n", -32600),
                           (b'{"jsonrpc":"2.0","id":null,"method":"ping"}\n', -32600), (b'{"id":1,"method":"ping"}\n', -32600),
                           (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}\n', -32600)]:
            self.send(line)
            self.assertEqual(self.receive()["error"]["code"], code, line[:50])
        self.send(b"\n\r\n")
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self.send({"jsonrpc": "2.0", "method": "no/such"})
        self.send({"jsonrpc": "2.0", "id": 5, "result": {}})
        data = json.dumps({"jsonrpc": "2.0", "id": "a", "method": "ping"}).encode() + b"\r\n"
        for byte in data:
            self.send(bytes([byte]))
        self.assertEqual(self.receive(), {"jsonrpc": "2.0", "id": "a", "result": {}})

    def test_arrays_belong_to_one_version(self):
        batch = [{"jsonrpc": "2.0", "id": 1, "method": "ping"}, {"jsonrpc": "2.0", "method": "notifications/initialized"},
                 {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}]
        self.initialize("2025-03-26")
        self.send(batch)
        self.assertEqual(sorted(a["id"] for a in self.receive()), [1, 2])
        self.initialize("2025-06-18")
        self.send(batch)
        self.assertEqual(self.receive()["error"]["code"], -32600)

    def test_ping_overtakes_a_slow_call_which_can_be_cancelled(self):
        self.ask("ping")
        slow = "many words of a long text " * 40000
        self.send({"jsonrpc": "2.0", "id": "slow", "method": "tools/call",
                   "params": {"name": "embed", "arguments": {"text": slow}}})
        self.send({"jsonrpc": "2.0", "id": "slow2", "method": "tools/call",
                   "params": {"name": "search", "arguments": {"query": "soup"}}})
        self.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "unknown"}})
        self.send({"jsonrpc": "2.0", "id": "p", "method": "ping"})
        got = [self.receive()["id"] for _ in range(3)]
        self.assertIn("p", got)
        self.assertEqual(set(got), {"slow", "slow2", "p"})

    def test_what_is_taken_back_ends_and_is_not_answered(self):
        llm = self.hang(workers=1)
        for modern in (False, True):
            began = time.monotonic()
            self.send({"jsonrpc": "2.0", "id": "slow", "method": "tools/call",
                       "params": {"name": "ask", "arguments": {"question": "how many sheets does the paper tray take?"},
                                  "_meta": {**(META if modern else {}), "progressToken": 1}}})
            self.assertEqual(self.receive()["method"], "notifications/progress")
            self.until(lambda: llm.seen)
            self.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "slow", "reason": "enough"}})
            found = self.ask("tools/call", {"name": "search", "arguments": {"query": "paper tray"}}, modern)  # by the one worker
            self.assertFalse(found["result"]["isError"])
            self.assertLess(time.monotonic() - began, 25)  # the service hangs for 30
            llm.seen, llm.faults = [], ["hang"]

    def test_a_folder_nobody_indexed_is_indexed_by_the_agent(self):
        other = self.dir / "other"
        self.write("owl.txt", "A text about owls.", root=other)
        self.start(cwd=other)
        run = self.tool("index", {"path": "."})["structuredContent"]["run"]
        deadline = time.monotonic() + LIMIT_S
        while True:
            self.assertLess(time.monotonic(), deadline)
            found = self.tool("search", {"query": "owls", "mode": "lexical"})
            if not found["isError"] and found["structuredContent"]["results"]:
                break
            time.sleep(0.02)
        self.assertGreater(run, 0)
        self.assertEqual({h["collection"] for h in found["structuredContent"]["results"]}, {"other"})

    def test_a_writer_that_hangs_is_not_waited_for_beyond_the_deadline_of_tools(self):
        llm = Llm()
        self.addCleanup(llm.close)
        llm.faults = ["hang"]
        self.start(NO_PROXY="127.0.0.1", PYTHIA_ASK_URL=llm.url, PYTHIA_ASK_MODEL="tiny", PYTHIA_SERVE_TOOL_DEADLINE="4s")
        began = time.monotonic()
        answer = self.ask("tools/call", {"name": "ask", "arguments": {"question": "how many sheets does the paper tray take?"}})
        self.assertLess(time.monotonic() - began, 25)  # the service hangs for 30
        self.assertEqual(len(llm.seen), 1)
        self.assertTrue(answer["result"]["isError"], answer)  # nothing was written by then
        self.assertIn("the deadline was reached", answer["result"]["content"][0]["text"])
        found = self.ask("tools/call", {"name": "search", "arguments": {"query": "paper tray"}})["result"]["structuredContent"]
        self.assertNotIn("deadline_hit", found)

    def test_it_ends_with_its_input(self):
        self.ask("ping")
        self.send({"jsonrpc": "2.0", "id": 9, "method": "tools/call",
                   "params": {"name": "embed", "arguments": {"text": "word " * 100000}}})
        self.process.stdin.close()
        self.assertEqual(self.process.wait(timeout=LIMIT_S), 0)
        self.start()
        self.ask("ping")
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(timeout=LIMIT_S), 0)
        self.start()
        self.ask("ping")
        self.process.stdout.close()
        try:
            self.send({"jsonrpc": "2.0", "id": 1, "method": "ping"})
        except BrokenPipeError:
            pass
        self.assertEqual(self.process.wait(timeout=LIMIT_S), 0)


class Http(Rules, PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.index()
        self.restart()
        self.next = 0

    def restart(self, **env):
        process = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0", "--log", "none"], cwd=self.dir, env={**self.env, **env},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(self.stop, process)
        self.port = urllib.parse.urlsplit(json.loads(process.stdout.readline())["http"]).port

    def stop(self, process):
        process.kill()
        process.wait()
        process.stdout.close()

    def call_of(self, name, arguments, token=None, modern=False):
        """(message, headers) of a tool's call."""
        headers = {"Mcp-Method": "tools/call", "Mcp-Name": name, "MCP-Protocol-Version": "2026-07-28"} if modern else {}
        return self.message("tools/call", {"name": name, "arguments": arguments,
                                           "_meta": {**(META if modern else {}), "progressToken": token}}), headers

    def told(self, name, arguments, token, modern=False):
        message, headers = self.call_of(name, arguments, token, modern)
        status, headers, body = self.post(message, headers)
        self.assertEqual(status, 200)
        if headers["content-type"].startswith("application/json"):
            return [], json.loads(body)
        self.assertTrue(headers["content-type"].startswith("text/event-stream"))
        self.assertEqual((headers["x-accel-buffering"], headers["cache-control"]), ("no", "no-store"))
        events = body.decode().split("\n\n")
        self.assertEqual(events.pop(), "")
        for event in events:
            self.assertRegex(event, "^event: message\ndata: {.*}$")
        *news, answer = [json.loads(event.split("data: ", 1)[1]) for event in events]
        self.assertEqual(answer["id"], message["id"])
        return news, answer

    def leave(self, llm, modern):
        """Asks for what hangs, and closes the connection when it does."""
        message, headers = self.call_of("ask", {"question": "how many sheets does the paper tray take?"}, None, modern)
        before = len(llm.seen)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        connection.request("POST", "/mcp", json.dumps(message), {"Content-Type": "application/json", "Accept": "*/*", **headers})
        self.until(lambda: len(llm.seen) > before)
        connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()

    def calls(self, code):
        """Of ask, so far, that ended so."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith('pythia_requests_total{route="ask",code="%s"}' % code))

    def test_what_a_session_takes_back_ends(self):
        llm = self.hang(workers=4)
        hello = self.message("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}})
        sessions = [self.post(hello)[1]["mcp-session-id"] for _ in range(2)]
        for session in sessions:
            self.assertRegex(session, "^[0-9a-f]{32}$")
        self.assertNotEqual(*sessions)
        self.assertEqual(self.post(self.message("ping"), {"Mcp-Session-Id": "a" * 100})[0], 400)
        message, _ = self.call_of("ask", {"question": "how many sheets does the paper tray take?"})
        got, began = [], time.monotonic()
        asking = threading.Thread(target=lambda: got.append(self.post(message, {"Mcp-Session-Id": sessions[0]})))
        asking.start()
        self.addCleanup(asking.join)
        self.until(lambda: llm.seen)
        back = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": message["id"]}}
        for headers in ({}, {"Mcp-Session-Id": sessions[1]}):
            self.assertEqual(self.post(back, headers)[0], 202)
        self.assertEqual(self.calls("200") + self.calls("503"), 0)  # of others the same number is another call
        self.assertEqual(self.post(back, {"Mcp-Session-Id": sessions[0]})[0], 202)
        asking.join()
        self.assertLess(time.monotonic() - began, 25)  # the service hangs for 30
        self.assertEqual((got[0][0], got[0][2]), (202, b""))

    def test_a_client_that_leaves_takes_back_its_call_in_the_stateless_era_alone(self):
        llm, go_on, began = self.hang(workers=4), threading.Event(), time.monotonic()
        self.addCleanup(go_on.set)
        llm.faults = []

        def answer(_):
            go_on.wait(30)
            return "The paper tray takes fifty sheets [1]."
        llm.answer = answer
        self.leave(llm, modern=False)
        self.leave(llm, modern=True)
        self.until(lambda: self.calls("503"))
        self.assertLess(time.monotonic() - began, 25)  # the service waits for 30
        self.assertEqual((self.calls("503"), self.calls("200")), (1, 0))
        go_on.set()
        self.until(lambda: self.calls("200"))
        self.assertEqual(self.calls("503"), 1)

    def post(self, body, headers=None, method="POST"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, "/mcp", data, {"Content-Type": "application/json",
                                                  "Accept": "application/json, text/event-stream", **(headers or {})})
        reply = connection.getresponse()
        got = reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
        connection.close()
        return got

    def message(self, method, params=None):
        self.next += 1
        return {"jsonrpc": "2.0", "id": self.next, "method": method, "params": params or {}}

    def ask(self, method, params=None, modern=False):
        headers = {}
        params = dict(params or {})
        if modern:
            params["_meta"] = META
        if any(k.startswith("io.modelcontextprotocol/") for k in params.get("_meta", {})):
            headers = {"Mcp-Method": method, "MCP-Protocol-Version": params["_meta"].get("io.modelcontextprotocol/protocolVersion", "")}
            if "name" in params or "uri" in params:
                headers["Mcp-Name"] = params.get("name") or params.get("uri")
        status, _, body = self.post(self.message(method, params), headers)
        answer = json.loads(body)
        self.assertEqual(answer["id"], self.next)
        if "error" not in answer:
            self.assertEqual(status, 200)
        return answer

    def test_methods_types_and_statuses(self):
        ping = self.message("ping")
        status, headers, _ = self.post(None, method="GET")
        self.assertEqual((status, headers["allow"]), (405, "POST"))
        self.assertEqual(self.post(None, method="DELETE")[0], 405)
        self.assertEqual(self.post(ping, {"Content-Type": "text/plain"})[0], 415)
        self.assertEqual(self.post(ping, {"Accept": "application/json"})[0], 406)
        self.assertEqual(self.post(ping, {"Accept": "*/*"})[0], 200)
        self.assertEqual(self.post(ping, {"Accept": "text/event-stream;q=0.5, application/json"})[0], 200)
        self.assertEqual(self.post(ping, {"MCP-Protocol-Version": "1999-01-01"})[0], 400)
        self.assertEqual(self.post(ping, {"MCP-Protocol-Version": "2025-06-18"})[0], 200)
        self.assertEqual(self.post(ping, {"Origin": "http://evil.com"})[0], 403)
        self.assertEqual(self.post(ping, {"Host": "evil.com"})[0], 421)
        status, _, body = self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self.assertEqual((status, body), (202, b""))
        status, _, body = self.post(b"{")
        self.assertEqual((status, json.loads(body)["error"]["code"], json.loads(body)["id"]), (400, -32700, None))
        batch = [self.message("ping"), self.message("tools/list")]
        status, _, body = self.post(batch)
        self.assertEqual((status, len(json.loads(body))), (200, 2))
        self.assertEqual(self.post(batch, {"MCP-Protocol-Version": "2025-06-18"})[0], 400)

    def test_headers_repeat_the_body_in_the_stateless_era(self):
        call = self.message("tools/call", {"name": "status", "arguments": {}, "_meta": META})
        good = {"Mcp-Method": "tools/call", "Mcp-Name": "status", "MCP-Protocol-Version": "2026-07-28"}
        self.assertEqual(self.post(call, good)[0], 200)
        self.assertEqual(self.post(call, {k.lower(): " %s " % v for k, v in good.items()})[0], 200)
        for change in [{"Mcp-Method": "tools/list"}, {"Mcp-Name": "Status"}, {"MCP-Protocol-Version": "2025-11-25"}]:
            status, _, body = self.post(call, {**good, **change})
            self.assertEqual((status, json.loads(body)["error"]["code"]), (400, -32020), change)
        coded = lambda text: "=?base64?%s?=" % base64.b64encode(text.encode()).decode()
        self.assertEqual(self.post(call, {**good, "Mcp-Name": coded("status")})[0], 200)
        uri = "pythia://tree/docs/soup.txt"
        read = self.message("resources/read", {"uri": uri, "_meta": META})
        self.assertEqual(self.post(read, {**good, "Mcp-Method": "resources/read", "Mcp-Name": coded(uri)})[0], 200)
        for name in [coded("stat"), coded("status")[:-1], "=?base64?c3RhdHVz!?=", "=?base64?=", "=?base64??="]:
            status, _, body = self.post(call, {**good, "Mcp-Name": name})
            self.assertEqual((status, json.loads(body)["error"]["code"]), (400, -32020), name)
        other = {"io.modelcontextprotocol/protocolVersion": "2030-01-01"}
        status, _, body = self.post(self.message("server/discover", {"_meta": {**META, **other}}),
                                    {"Mcp-Method": "server/discover", "MCP-Protocol-Version": "2026-07-28"})
        self.assertEqual((status, json.loads(body)["error"]["code"]), (400, -32020))
        status, _, body = self.post(call, {})
        self.assertEqual((status, json.loads(body)["error"]["code"]), (400, -32020))
        unknown = self.message("no/such", {"_meta": META})
        status, _, body = self.post(unknown, {"Mcp-Method": "no/such", "MCP-Protocol-Version": "2026-07-28"})
        self.assertEqual((status, json.loads(body)["error"]["code"]), (404, -32601))

    def test_a_token_is_needed_where_there_is_one(self):
        token = self.pythia("token", "create", "agent", code=0).out.strip()
        ping = self.message("ping")
        status, headers, _ = self.post(ping)
        self.assertEqual(status, 401)
        self.assertIn("Bearer", headers["www-authenticate"])
        self.assertEqual(self.post(ping, {"Authorization": "Bearer " + token})[0], 200)
        call = self.message("tools/call", {"name": "index", "arguments": {"path": str(self.tree)}})
        answer = json.loads(self.post(call, {"Authorization": "Bearer " + token})[2])
        self.assertTrue(answer["result"]["isError"])
        self.assertIn("write", answer["result"]["content"][0]["text"])


if __name__ == "__main__":
    main()
