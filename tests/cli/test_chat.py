"""Chats: questions that follow on others, kept in the store, over the command line, HTTP and MCP."""
import json

from harness import main
from llm import Llm
from server import ServeTest

FIRST = "how many sheets does the paper tray take?"
NEXT = "and where is it plugged in?"


class Chats(ServeTest):
    def ask(self, question, *args, code=0, **how):
        return self.pythia("ask", question, "--json", *args, code=code, **how).json

    def test_a_question_follows_on_the_one_before_and_both_are_kept(self):
        first = self.ask(FIRST, "-s", "new", "--in", "tree")
        session = str(first["session"])
        self.assertNotIn("understood", first)
        # The chat knows its collection: it is asked from anywhere.
        reply = self.ask(NEXT, "--session", session, "--abstain", "0", cwd=self.dir)
        self.assertEqual((reply["session"], reply["question"]), (int(session), NEXT))
        self.assertEqual(reply["understood"], NEXT + " sheets paper tray take")
        self.assertEqual(reply["sources"][0]["path"], "docs/guide.md")
        self.ask("who won the chess championship of 1972?", "-s", session, code=1)

        shown = self.pythia("chat", "show", session, "--json", code=0).json
        self.assertEqual((shown["chat"]["title"], shown["chat"]["collections"], shown["chat"]["messages"]), (FIRST, ["tree"], 6))
        roles = [m["role"] for m in shown["messages"]]
        self.assertEqual(roles, ["user", "assistant"] * 3)
        self.assertEqual([m["content"] for m in shown["messages"][:3]], [FIRST, first["answer"], NEXT])
        self.assertEqual(shown["messages"][1]["details"]["citations"][0]["path"], "docs/guide.md")
        self.assertTrue(shown["messages"][5]["details"]["abstained"])
        out = self.pythia("chat", "show", session, code=0).out
        self.assertTrue(out.startswith("> %s\n%s\n\n> %s\n" % (FIRST, first["answer"], NEXT)), out)
        self.assertTrue(out.endswith("(no answer)\n"))
        lines = self.pythia("chat", "export", session, code=0).out.splitlines()
        self.assertEqual([json.loads(line) for line in lines], shown["messages"])
        self.assertIn(FIRST, self.pythia("chat", "list", code=0).out)
        run = self.pythia("ask", NEXT, "-s", session, "--abstain", "0", code=0)
        self.assertIn("session %s; go on with: pythia ask -s %s …" % (session, session), run.err)

        self.pythia("chat", "rm", session, code=0)
        self.assertFails(self.pythia("chat", "show", session), 3, "there is no chat '%s'" % session, "run: pythia chat list")
        self.assertFails(self.pythia("ask", NEXT, "-s", session), 3, "there is no chat '%s'" % session)
        self.assertEqual(self.pythia("chat", "list", "--json", code=0).json["chats"], [])

    def test_chat_asks_line_by_line(self):
        run = self.pythia("chat", stdin=("%s\n\n%s\nwho won the chess championship of 1972?\n/exit\nnot asked\n" % (FIRST, NEXT)).encode(),
                          code=0)
        self.assertIn("The paper tray takes fifty sheets. [1]", run.out)
        self.assertIn("pythia: no answer was found for 'who won", run.err)
        self.assertIn("kept: pythia chat show 1", run.err)
        self.assertEqual(self.pythia("chat", "list", "--json", code=0).json["chats"][0]["messages"], 6)
        run = self.pythia("chat", "-s", "1", "--json", stdin=("%s\n%s\n" % (NEXT, FIRST)).encode(), code=0)
        self.assertEqual([json.loads(line)["session"] for line in run.out.splitlines()], [1, 1])
        self.assertFails(self.pythia("chat", "-s", "x", stdin=b"a\n"), 2, "'x' is no session; valid: a chat's number, or new")
        self.assertFails(self.pythia("chat", "show", "x"), 2, "a chat's id is a number, not 'x'")
        self.pythia("chat", stdin=b"", code=0)

    def test_a_writer_puts_the_question_anew(self):
        llm = Llm()
        self.addCleanup(llm.close)
        env = {"NO_PROXY": "127.0.0.1", "PYTHIA_ASK_URL": llm.url, "PYTHIA_ASK_MODEL": "tiny"}

        def answer(asked):
            if asked["messages"][0]["content"].startswith("You put the last question"):
                return "Where is the printer plugged in?"
            return "The paper tray takes fifty sheets [1]. Plug the printer in [1]."
        llm.answer = answer
        session = str(self.ask(FIRST, "-s", "new", env=env)["session"])
        self.assertEqual(len(llm.seen), 1)
        reply = self.ask(NEXT, "-s", session, "--abstain", "0", env=env)
        self.assertEqual(reply["understood"], "Where is the printer plugged in?")
        self.assertEqual(len(llm.seen), 3)
        self.assertIn("> Q: %s\n> A: The paper tray takes fifty sheets. [" % FIRST, llm.prompt(-2))
        self.assertTrue(llm.prompt(-1).endswith("Question: Where is the printer plugged in?"))
        llm.faults = ["status:500"]
        self.assertFails(self.pythia("ask", NEXT, "-s", session, env=env), 8, "answers 500")
        self.assertEqual(self.pythia("chat", "show", session, "--json", code=0).json["chat"]["messages"], 4)  # nothing of it is kept

    def test_a_chat_is_there_for_the_token_it_was_begun_with_and_for_admins(self):
        self.ask(FIRST, "-s", "new")  # the command line's: nobody's in particular
        make = lambda name, role: self.pythia("token", "create", name, "--role", role, code=0).out.strip()
        ann, bob, eve, root = make("ann", "read"), make("bob", "write"), make("eve", "read"), make("root", "admin")
        self.serve()
        self.wait_ready()
        chat = self.ok(self.post("/v1/chats", {"title": "Printers"}, token=ann))["chat"]
        self.assertRegex(chat["owner"], "^t-")
        other = self.ok(self.post("/v1/ask", {"question": FIRST, "session": "new"}, token=bob))["session"]
        path = "/v1/chats/%d" % chat["id"]
        ids = lambda token: [c["id"] for c in self.ok(self.call("GET", "/v1/chats", token=token))["chats"]]
        self.assertEqual((ids(ann), ids(bob), ids(eve), sorted(ids(root))), ([chat["id"]], [other], [], [1, chat["id"], other]))
        self.assertEqual(self.ok(self.post("/v1/ask", {"question": FIRST, "session": chat["id"]}, token=ann))["session"], chat["id"])
        for token in (bob, eve):
            self.refused(self.call("GET", path, token=token), 404, "there is no chat '%d'" % chat["id"])
            self.refused(self.post("/v1/ask", {"question": NEXT, "session": chat["id"]}, token=token), 404, "there is no chat")
        self.refused(self.call("GET", "/v1/chats/1", token=ann), 404, "there is no chat '1'")
        self.refused(self.call("DELETE", path, token=bob), 404, "there is no chat")
        self.assertEqual(len(self.ok(self.call("GET", path, token=root))["messages"]), 2)
        self.ok(self.call("DELETE", "/v1/chats/%d" % other, token=bob))
        self.ok(self.call("DELETE", path, token=root))
        self.assertEqual(ids(root), [1])
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                 "params": {"name": "ask", "arguments": {"question": FIRST, "session": "1"}}}
        headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
        result = self.ok(self.post("/mcp", asked, headers=headers, token=eve))["result"]
        self.assertTrue(result["isError"])
        self.assertIn("there is no chat '1'", result["content"][0]["text"])

    def test_over_http_and_mcp(self):
        self.serve()
        self.wait_ready()
        self.assertEqual(self.ok(self.call("GET", "/v1/chats"))["chats"], [])
        chat = self.ok(self.post("/v1/chats", {"title": "Printers", "collections": ["tree"]}))["chat"]
        self.refused(self.post("/v1/chats", {"collections": ["none"]}), 404, "none")
        first = self.ok(self.post("/v1/ask", {"question": FIRST, "session": chat["id"]}))
        self.assertEqual(first["session"], chat["id"])
        reply = self.ok(self.post("/v1/ask", {"question": NEXT, "session": str(chat["id"]), "abstain": 0}))
        self.assertEqual(reply["understood"], NEXT + " sheets paper tray take")
        shown = self.ok(self.call("GET", "/v1/chats/%d" % chat["id"]))
        self.assertEqual((shown["chat"]["title"], len(shown["messages"])), ("Printers", 4))
        self.assertNotEqual(self.ok(self.post("/v1/ask", {"question": FIRST, "session": "new"}))["session"], chat["id"])
        self.assertEqual(len(self.ok(self.call("GET", "/v1/chats"))["chats"]), 2)
        self.refused(self.post("/v1/ask", {"question": FIRST, "session": "x"}), 400, "'x' is no session")
        self.refused(self.post("/v1/ask", {"question": FIRST, "session": 99}), 404, "there is no chat '99'")
        self.ok(self.call("DELETE", "/v1/chats/%d" % chat["id"]))
        self.assertEqual(self.refused(self.call("GET", "/v1/chats/%d" % chat["id"]), 404)["fix"], "GET /v1/chats")
        self.refused(self.call("DELETE", "/v1/chats/%d" % chat["id"]), 404, "there is no chat")

        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                 "params": {"name": "ask", "arguments": {"question": FIRST, "session": "new"}}}
        headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
        result = self.ok(self.post("/mcp", asked, headers=headers))["result"]
        self.assertGreater(result["structuredContent"]["session"], 0)

        messages = [{"role": "user", "content": FIRST}, {"role": "assistant", "content": "Fifty."}, {"role": "user", "content": NEXT}]
        reply = self.ok(self.post("/v1/chat/completions", {"model": "pythia", "messages": messages}))
        self.assertEqual(reply["sources"][0]["path"], "docs/guide.md")


if __name__ == "__main__":
    main()
