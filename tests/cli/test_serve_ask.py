"""Answers over HTTP: whole, as events while they are written, and as OpenAI's chat completions."""
import http.client
import json
import threading
import time

from harness import LIMIT_S, main
from llm import Llm
from test_serve import ServeTest

QUESTION = "how many sheets does the paper tray take?"
UNKNOWN = "who won the chess championship of 1972?"
TWO = "The paper tray takes fifty sheets [1]. Plug the printer in, then choose it in the settings [1]."


def events(lines):
    """(event, data) of a stream of events, as they come."""
    name = None
    for line in lines:
        line = line.decode().rstrip("\n")
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, line[6:] if line[6:] == "[DONE]" else json.loads(line[6:])
            name = None


class Asking(ServeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.llm = Llm()
        cls.addClassCleanup(cls.llm.close)
        cls.shared = ["--config", "ask.url=" + cls.llm.url, "--config", "ask.model=tiny"]

    def setUp(self):
        super().setUp()
        self.llm.reset()
        self.llm.answer = TWO

    def counted(self):
        return self.ok(self.call("GET", "/metrics?format=json"))

    def stream(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        self.addCleanup(connection.close)
        self.connection = connection
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        return reply, events(reply)

    def ask(self, question=QUESTION, **fields):
        reply, coming = self.stream("/v1/ask", {"question": question, "stream": True, **fields})
        self.assertEqual(reply.status, 200)
        self.assertTrue(reply.headers["Content-Type"].startswith("text/event-stream"))
        return list(coming)

    def test_an_answer_comes_in_events_that_say_what_the_whole_one_says(self):
        for fields in ({}, {"extractive": True}):
            came = self.ask(**fields)
            kinds = [kind for kind, _ in came]
            self.assertEqual((kinds[0], kinds[1], kinds[2], kinds[-1]), ("sources", "delta", "citation", "done"))
            whole = self.ok(self.post("/v1/ask", {"question": QUESTION, **fields}))
            done = dict(came)["done"]
            for reply in (whole, done):
                del reply["took_ms"]
            self.assertEqual(done, whole)
            self.assertEqual("".join(d["text"] for k, d in came if k == "delta"), whole["answer"])
            self.assertEqual([d for k, d in came if k == "citation"], whole["citations"])
            self.assertEqual(came[0][1]["sources"], whole["sources"])
        self.assertEqual(whole["writer"], "extractive")
        self.assertEqual(self.ok(self.post("/v1/ask", {"question": QUESTION, "sources_only": True}))["answer"], None)

    def test_a_sentence_is_sent_while_the_next_is_written(self):
        self.llm.after, self.llm.gate = "Plug the", threading.Event()
        reply, coming = self.stream("/v1/ask", {"question": QUESTION, "stream": True})
        kinds = [next(coming) for _ in range(3)]
        self.assertTrue(kinds[1][1]["text"].startswith("The paper tray takes fifty sheets. ["), kinds)
        self.llm.gate.set()
        self.assertEqual(list(coming)[-1][0], "done")

    def test_no_answer_is_an_event_and_is_counted(self):
        before = self.counted()["abstained"]
        kinds = [kind for kind, _ in self.ask(UNKNOWN)]
        self.assertEqual(kinds, ["abstain", "done"])
        self.llm.answer = "It was made by Leonardo [1]."
        came = self.ask()
        self.assertEqual([kind for kind, _ in came], ["sources", "abstain", "done"])
        self.assertTrue(came[1][1]["citations"])
        self.assertEqual(came[2][1]["refused"][0]["why"], "a name that is in no source")
        self.assertIn("pythia_abstained_total %d\n" % (before + 2), self.call("GET", "/metrics").body.decode())

    def test_a_failure_before_anything_is_an_error_and_one_within_is_an_event(self):
        self.refused(self.post("/v1/ask", {"question": QUESTION, "stream": True, "collections": ["none"]}), 404, "none")
        self.refused(self.post("/v1/ask", {"question": QUESTION, "stream": True, "quotes": 99}), 400, "quotes")
        self.llm.answer += " It"
        self.llm.faults = ["cut"]
        kinds = self.ask()
        self.assertEqual([k for k, _ in kinds if k != "citation"], ["sources", "delta", "delta", "error"])
        self.assertEqual(kinds[-1][1]["error"]["code"], "network")
        self.llm.faults = ["status:500"]
        self.refused(self.post("/v1/ask", {"question": QUESTION}), 502, "answers 500")

    def test_a_client_that_leaves_ends_the_answer(self):
        before = self.counted()["requests"].get("ask", {"total": 0})["total"]
        self.llm.answer = TWO * 50
        self.llm.after, self.llm.gate = "Plug the", threading.Event()
        for _ in range(3):
            reply, coming = self.stream("/v1/ask", {"question": QUESTION, "stream": True})
            next(coming), next(coming)
            self.connection.close()
        self.llm.gate.set()
        deadline = time.monotonic() + LIMIT_S
        while self.counted()["requests"].get("ask", {"total": 0})["total"] < before + 3:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.assertEqual(self.ask(extractive=True)[-1][0], "done")  # it is there for others

    def test_openai_clients_chat_with_a_collection(self):
        body = {"model": "pythia:tree", "messages": [{"role": "system", "content": "Be a pirate."}, {"role": "user", "content": QUESTION}],
                "temperature": 0.7, "max_tokens": 100}
        reply = self.ok(self.post("/v1/chat/completions", body))
        self.assertEqual((reply["object"], reply["model"], reply["abstained"]), ("chat.completion", "pythia:tree", False))
        message = reply["choices"][0]["message"]
        self.assertEqual((message["role"], reply["choices"][0]["finish_reason"]), ("assistant", "stop"))
        self.assertTrue(message["content"].startswith("The paper tray takes fifty sheets. ["))
        self.assertEqual(reply["sources"][reply["citations"][0]["source"] - 1]["path"], "docs/guide.md")
        self.assertNotIn("pirate", json.dumps(self.llm.seen[-1][2]))
        models = [m["id"] for m in self.ok(self.call("GET", "/v1/models"))["data"]]
        self.assertEqual(models[-2:], ["pythia", "pythia:tree"])  # behind those that embed

        stream, coming = self.stream("/v1/chat/completions", {**body, "stream": True})
        came = [data for _, data in coming]
        self.assertEqual(came.pop(), "[DONE]")
        self.assertEqual({c["object"] for c in came}, {"chat.completion.chunk"})
        self.assertEqual(came[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual("".join(c["choices"][0]["delta"].get("content", "") for c in came), message["content"])
        self.assertEqual(came[-1]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(came[-1]["citations"], reply["citations"])

        parts = [{"type": "text", "text": QUESTION}]
        self.assertEqual(self.ok(self.post("/v1/chat/completions", {"model": "pythia", "messages": [{"role": "user", "content": parts}]}))
                         ["choices"][0]["message"], message)
        none = {"model": "pythia", "messages": [{"role": "user", "content": UNKNOWN}]}
        reply = self.ok(self.post("/v1/chat/completions", none))
        self.assertTrue(reply["abstained"])
        self.assertIn("The sources do not answer this.", reply["choices"][0]["message"]["content"])
        stream, coming = self.stream("/v1/chat/completions", {**none, "stream": True})
        came = [data for _, data in coming]
        self.assertIn("The sources do not answer this.", came[0]["choices"][0]["delta"]["content"])
        self.assertTrue(came[-2]["abstained"])

    def test_what_is_no_chat_is_refused(self):
        user = [{"role": "user", "content": "x"}]
        for body, part in (({"model": "gpt-4", "messages": user}, "'model' cannot be 'gpt-4'; valid: pythia, pythia:COLLECTION"),
                           ({"model": "pythia:", "messages": user}, "'model' cannot be"),
                           ({"model": "pythia", "messages": []}, "'messages' is empty"),
                           ({"model": "pythia", "messages": user + [{"role": "assistant", "content": "y"}]}, "the user's"),
                           ({"model": "pythia", "messages": [{"role": "user"}]}, "is empty"),
                           ({"model": "pythia", "messages": [{"role": "tool", "content": "x"}]}, "role"),
                           ({"model": "pythia", "messages": user, "tools": []}, "tools")):
            self.refused(self.post("/v1/chat/completions", body), 400, part)
        self.refused(self.post("/v1/chat/completions", {"model": "pythia:none", "messages": user}), 404, "none")


if __name__ == "__main__":
    main()
