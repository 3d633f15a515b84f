"""Answers over HTTP: whole, as events while they are written, and as OpenAI's chat completions."""
import http.client
import json
import threading
import time

from harness import LIMIT_S, main
from llm import Llm, tiny_writer
from server import ServeTest

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


class Chat(ServeTest):
    def stream(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        self.addCleanup(connection.close)
        self.connection = connection
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        return reply, events(reply)

    def completed(self, stream, question=QUESTION, **more):
        """The usage of an answer, whole or out of a stream that is to tell it."""
        body = {"model": "pythia:tree", "messages": [{"role": "user", "content": question}], **more}
        if not stream:
            return self.ok(self.post("/v1/chat/completions", body))["usage"]
        came = [data for _, data in self.stream("/v1/chat/completions", {**body, "stream": True, "stream_options": {"include_usage": True}})[1]]
        self.assertEqual(came.pop(), "[DONE]")
        self.assertEqual(came[-1]["choices"], [])
        self.assertEqual({key: came[-1][key] for key in ("id", "object", "model")}, {key: came[0][key] for key in ("id", "object", "model")})
        self.assertEqual([chunk["usage"] for chunk in came[:-1]], [None] * (len(came) - 1))
        self.assertEqual(came[-2]["choices"][0]["finish_reason"], "stop")
        return came[-1]["usage"]


class Asking(Chat):
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

    def test_usage_is_what_the_service_says(self):
        self.llm.usage = {"prompt_tokens": 812, "completion_tokens": 23, "total_tokens": 835}
        for stream in (False, True):
            self.assertEqual(self.completed(stream), self.llm.usage)
            self.assertEqual(self.llm.seen[-1][2].get("stream_options"), {"include_usage": True} if stream else None)
        self.llm.faults = ["status:400:stream_options is unknown"]
        self.assertEqual(self.completed(True), self.llm.usage)
        self.assertNotIn("stream_options", self.llm.seen[-1][2])
        # A follow-up is put so that it stands by itself first: that is read and written, too.
        before = [{"role": "user", "content": "what is the paper tray?"}, {"role": "assistant", "content": "A tray."}]
        usage = self.completed(False, messages=before + [{"role": "user", "content": QUESTION}])
        self.assertEqual(usage, {"prompt_tokens": 1624, "completion_tokens": 46, "total_tokens": 1670})

    def test_usage_that_the_service_does_not_say_is_estimated_and_says_so(self):
        for said in (None, {"prompt_tokens": -5, "completion_tokens": 3}, {"prompt_tokens": "9", "completion_tokens": 3},
                     {"prompt_tokens": 7}, {"prompt_tokens": 1e300, "completion_tokens": 3}):
            self.llm.usage = said
            for stream in (False, True):
                usage = self.completed(stream)
                self.assertIs(usage["estimated"], True, said)
                self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])
                # Errs upwards: a word is a token at least.
                self.assertGreaterEqual(usage["prompt_tokens"], len(self.llm.prompt().split()))
                self.assertLess(usage["prompt_tokens"], 2 * len(self.llm.prompt()))
                self.assertGreaterEqual(usage["completion_tokens"], len(TWO.split()))
                self.assertLess(usage["completion_tokens"], 2 * len(TWO))

    def test_a_writer_that_was_not_asked_has_no_tokens(self):
        for stream in (False, True):
            self.assertEqual(self.completed(stream, UNKNOWN), {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
        self.assertEqual(self.llm.seen, [])

    def test_a_stream_tells_no_usage_unless_asked(self):
        self.llm.usage = {"prompt_tokens": 812, "completion_tokens": 23}
        body = {"model": "pythia:tree", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
        for options in ({}, {"stream_options": None}, {"stream_options": {"include_usage": False, "include_obfuscation": True}}):
            came = [data for _, data in self.stream("/v1/chat/completions", {**body, **options})[1]]
            self.assertTrue(all("usage" not in chunk and chunk["choices"] for chunk in came[:-1]))
        self.refused(self.post("/v1/chat/completions", {**body, "stream_options": {"include_usage": "yes"}}), 400, "include_usage")
        self.refused(self.post("/v1/chat/completions", {**body, "stream_options": {"usage": True}}), 400, "usage")

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


class Counting(Chat):
    """Usage without a service: of quotes, and of a model of our own."""

    def tokens(self, text):
        return len(self.ok(self.post("/tokenize", {"text": text}))["ids"]) - 2  # [CLS], [SEP]

    def test_quotes_count_what_was_read_and_quoted(self):
        self.serve()
        self.wait_ready()
        for question in (QUESTION, UNKNOWN):
            read = self.ok(self.post("/v1/search", {"query": question, "limit": 8}))["results"]
            answer = self.ok(self.post("/v1/ask", {"question": question}))["answer"] or ""
            want = self.tokens(question) + sum(self.tokens(hit["content"]) for hit in read)
            for stream in (False, True):
                usage = self.completed(stream, question)
                self.assertEqual(usage, {"prompt_tokens": want, "completion_tokens": self.tokens(answer) if answer else 0,
                                         "total_tokens": usage["prompt_tokens"] + usage["completion_tokens"]})

    def test_without_a_tokenizer_they_are_estimated(self):
        self.write("notes/soup.md", "# Soup\n\nTomato soup simmers for twenty minutes.\n", root=self.dir)
        self.index("--lex-only", "--collection", "plain", cwd=self.dir / "notes")
        self.serve()
        self.wait_ready()
        usage = self.completed(False, "how long does tomato soup simmer?", model="pythia:plain")
        self.assertIs(usage["estimated"], True)
        self.assertGreater(usage["prompt_tokens"], usage["completion_tokens"])

    def test_our_own_model_counts_what_it_read_and_wrote(self):
        tiny_writer(self.home / "models" / "tiny-gemma.gguf")
        self.serve("--config", "ask.url=local", "--config", "ask.model=tiny-gemma")
        self.wait_ready()
        context = self.ok(self.post("/v1/ask", {"question": QUESTION}))["context_tokens"]
        usage = self.completed(False)
        self.assertEqual(set(usage), {"prompt_tokens", "completion_tokens", "total_tokens"})
        self.assertGreater(usage["prompt_tokens"], context)  # the rules, the question
        self.assertGreater(usage["completion_tokens"], 0)
        self.assertEqual(self.completed(True), usage)


if __name__ == "__main__":
    main()
