"""A service with OpenAI's /v1/chat/completions and Cohere's /v1/rerank on the loopback, that says what it is told to and fails in all
the ways."""
import http.server
import json
import pathlib
import threading


TINY = pathlib.Path(__file__).parent.parent / "golden" / "generate" / "gemma3.gguf"


def tiny_writer(path):
    """A model of our own engine that writes, of random weights, with a context that a prompt has room in."""
    gguf = bytearray(TINY.read_bytes())
    at = gguf.index(b"gemma3.context_length") + len("gemma3.context_length") + 4  # behind the type
    gguf[at:at + 4] = (8192).to_bytes(4, "little")
    path.write_bytes(gguf)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        llm = self.server.llm
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with llm.lock:
            llm.seen.append((self.path, dict(self.headers), asked))
            fault = llm.faults.pop(0) if llm.faults else ""
        kind, *rest = fault.split(":", 2)
        if kind == "status":
            headers = {"Retry-After": rest[1]} if len(rest) > 1 and rest[1].isdigit() else {}
            words = "as asked, " + self.headers.get("Authorization", "no key") + "".join(rest[1:])
            return self.whole(int(rest[0]), json.dumps({"error": {"message": words}}), headers=headers)
        if kind == "html":
            return self.whole(200, "<!doctype html><title>Sign in</title>", "text/html")
        if kind == "body":  # whatever it says
            return self.whole(200, fault[5:])
        if kind == "hang":
            return llm.over.wait(30)
        if kind == "close":
            self.close_connection = True
            return self.connection.close()
        if self.path.endswith("/rerank"):
            scores = [llm.rank(asked["query"], text) for text in asked["documents"]]
            results = [{"index": i, "relevance_score": s} for i, s in enumerate(scores)]
            body = json.dumps({"id": "r", "results": sorted(results, key=lambda r: -r["relevance_score"])})
            if kind == "cut":
                self.close_connection = True
                return self.whole(200, body[:len(body) // 2], headers={"Content-Length": str(len(body))})
            return self.whole(200, body)
        text = llm.answer(asked) if callable(llm.answer) else llm.answer
        if not asked.get("stream"):
            return self.whole(200, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                                               **({"usage": llm.usage} if llm.usage else {})}))
        return self.stream(text, kind)

    def whole(self, status, body, content_type="application/json", headers=None):
        body = body.encode()
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def event(self, value):
        self.chunk("data: %s\n\n" % json.dumps(value))

    def stream(self, text, fault):
        llm = self.server.llm
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk(": a comment\n\n")
        self.event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        step = 7  # in the middle of words
        for at in range(0, len(text), step):
            self.event({"choices": [{"delta": {"content": text[at:at + step]}}]})
            if llm.after and llm.after in text[:at + step] and llm.gate:
                llm.gate.wait(30)
        if fault == "error":
            return self.event({"error": {"message": "the model fell over", "code": 500}}) or self.chunk("")
        if fault == "cut":
            self.close_connection = True
            return self.connection.close()
        if fault == "stall":
            return llm.over.wait(30)
        if fault != "unfinished":
            self.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
            self.event({"choices": [], "usage": llm.usage or {"total_tokens": 1}})
            self.chunk("data: [DONE]\n\n")
        return self.chunk("")


class Llm:
    """answer: a text, or a function of the request. rank: a function of query and text. faults: one for each coming request. gate: an event waited for once the text
    holds `after`. usage: what it says of its tokens."""

    def __init__(self):
        self.reset()
        self.lock, self.over = threading.Lock(), threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.llm, self.server.daemon_threads = self, True
        self.server.handle_error = lambda *_: None  # clients leave: that is what is tested
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/v1" % self.server.server_port

    def reset(self):
        self.seen, self.faults, self.answer, self.after, self.gate, self.usage = [], [], "", "", None, None
        self.rank = lambda query, text: 0.5

    def prompt(self, at=-1):
        """What the user's message of a request said."""
        return self.seen[at][2]["messages"][-1]["content"]

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
