"""A model hub on the loopback: Hugging Face's protocol, large files on another origin, and faults on demand.

Hub().fault(where, *kinds) says what happens to the next requests there: "head", "list", "get" (small files) or "cdn" (large
ones); None is an ordinary answer. Kinds: "cut:N" N bytes, then the connection ends; "stall:N" N bytes, then silence;
"status:S" or "status:S:RETRY_AFTER"; "longer" announces more than it sends; "other-length" has and announces other bytes
than the hub promised; "wrong" sends other bytes of the same length; "html" a page with status 200; "no-range" ignores Range;
"bad-range" answers another part than was asked for.
"""
import hashlib
import http.server
import json
import struct
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 2000  # bytes from which a file is stored as a large one


def git_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def tiny_bert():
    """A Hugging Face folder of the smallest BERT there can be."""
    dim, ff, words = 8, 16, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##c", "retry", "soup"]
    tensors = {"embeddings.word_embeddings.weight": [len(words), dim], "embeddings.position_embeddings.weight": [16, dim],
               "embeddings.token_type_embeddings.weight": [2, dim], "embeddings.LayerNorm.weight": [dim],
               "embeddings.LayerNorm.bias": [dim]}
    layer = "encoder.layer.0."
    for name, rows, cols in (("attention.self.query", dim, dim), ("attention.self.key", dim, dim),
                             ("attention.self.value", dim, dim), ("attention.output.dense", dim, dim),
                             ("intermediate.dense", ff, dim), ("output.dense", dim, ff)):
        tensors[layer + name + ".weight"], tensors[layer + name + ".bias"] = [rows, cols], [rows]
    for name in ("attention.output.LayerNorm", "output.LayerNorm"):
        tensors[layer + name + ".weight"], tensors[layer + name + ".bias"] = [dim], [dim]
    head, data, number = {}, b"", 0
    for name, shape in tensors.items():
        n = shape[0] * (shape[1] if len(shape) > 1 else 1)
        piece = b"".join(struct.pack("<f", ((number + i) * 37 % 101 - 50) / 100) for i in range(n))
        number += n
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(head).encode()
    config = {"model_type": "bert", "architectures": ["BertModel"], "hidden_size": dim, "num_hidden_layers": 1,
              "num_attention_heads": 2, "intermediate_size": ff, "vocab_size": len(words), "max_position_embeddings": 16,
              "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}
    return {"config.json": json.dumps(config).encode(), "vocab.txt": ("\n".join(words) + "\n").encode(),
            "tokenizer_config.json": b'{"do_lower_case": true}', "README.md": b"not wanted",
            "1_Pooling/config.json": json.dumps({"word_embedding_dimension": dim, "pooling_mode_mean_tokens": True}).encode(),
            "model.safetensors": struct.pack("<Q", len(text)) + text + data}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        hub, where = self.server.hub, self.where()
        fault = hub.take(where)
        hub.seen.append((where, self.command, self.path, dict(self.headers)))
        kind, *rest = (fault or "").split(":")
        if kind == "status":
            return self.reply(int(rest[0]), b'{"error":"as asked"}', {"Retry-After": rest[1]} if len(rest) > 1 else {})
        if where == "list":
            return self.listing(kind)
        parts = urllib.parse.urlsplit(self.path).path.lstrip("/").split("/", 4)
        parts = [urllib.parse.unquote(part) for part in parts]
        repo, file = "/".join(parts[:2]), parts[4]
        if repo != hub.repo:
            return self.reply(404, b"", {"X-Error-Code": "RepoNotFound"})
        if parts[3] not in (COMMIT, "main", "refs/pr/1"):
            return self.reply(404, b"", {"X-Error-Code": "RevisionNotFound"})
        if file not in hub.files:
            return self.reply(404, b"", {"X-Error-Code": "EntryNotFound"})
        if where == "head":
            return self.head(hub, file, kind)
        return self.bytes(hub.files[file], kind, rest)

    def where(self):
        if self.server is self.server.hub.cdn:
            return "cdn"
        if self.path.startswith("/api/models/"):
            return "list"
        return "head" if self.command == "HEAD" else "get"

    def reply(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def listing(self, kind):
        hub = self.server.hub
        if kind == "html":
            return self.reply(200, b"<html>Sign in</html>", {"Content-Type": "text/html"})
        if not self.path.startswith("/api/models/" + hub.repo + "/revision/"):
            return self.reply(401, b"", {"X-Error-Code": "RepoNotFound"})
        files = [{"rfilename": name, "size": len(content)} for name, content in hub.files.items()]
        return self.reply(200, json.dumps({"sha": COMMIT, "siblings": files + hub.extra}).encode())

    def head(self, hub, file, kind):
        content = hub.files[file]
        if kind == "html":
            return self.reply(200, b"", {"Content-Type": "text/html", "Content-Length": "20"})
        headers = {"X-Repo-Commit": COMMIT, "ETag": '"%s"' % git_id(content), "Content-Length": str(len(content))}
        if len(content) < LARGE:
            return self.reply(200, b"", headers)
        headers.update({"X-Linked-Etag": '"%s"' % hashlib.sha256(content).hexdigest(), "X-Linked-Size": str(len(content)),
                        "Location": self.cdn_url(hub), "ETag": '"of-the-redirect"', "Content-Length": "0"})
        return self.reply(302, b"", headers)

    def cdn_url(self, hub):
        return "http://127.0.0.1:%d%s?signature=secret" % (hub.cdn.server_port, self.path)

    def bytes(self, content, kind, rest):
        hub = self.server.hub
        if self.server is hub.main and len(content) >= LARGE:
            return self.reply(302, b"", {"Location": self.cdn_url(hub)})
        headers = {"Content-Type": "application/octet-stream", "ETag": '"%s"' % git_id(content)}
        if kind == "html":
            return self.reply(200, b"<html>Sign in</html>", {"Content-Type": "text/html; charset=utf-8"})
        if kind == "wrong":
            content = bytes(b ^ 1 for b in content)
        if kind == "other-length":
            content = content + b"more"
        status, first, whole = 200, 0, len(content)
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and kind != "no-range":
            first = int(asked[6:].rstrip("-"))
            if first >= whole:
                return self.reply(416, b"", {"Content-Range": "bytes */%d" % whole})
            status, content = 206, content[first:]
            shown = first - 1 if kind == "bad-range" else first
            headers["Content-Range"] = "bytes %d-%d/%d" % (shown, whole - 1, whole)
        headers["Content-Length"] = str(len(content))
        if kind == "longer":
            headers["Content-Length"] = str(len(content) + 10)
            self.close_connection = True
        if kind in ("cut", "stall"):
            content = content[:int(rest[0])]
            self.close_connection = True
        self.reply(status, content, headers)
        if kind == "stall":
            self.wfile.flush()
            hub.over.wait(20)
        time.sleep(hub.slow)


class Hub:
    def __init__(self, files, repo="org/model"):
        self.repo, self.files, self.extra = repo, files, []
        self.faults, self.seen, self.slow = {}, [], 0
        self.lock, self.over = threading.Lock(), threading.Event()
        self.main, self.cdn = self.serve(), self.serve()
        self.url = "http://127.0.0.1:%d" % self.main.server_port

    def serve(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.hub, server.daemon_threads = self, True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def close(self):
        self.over.set()
        for server in (self.main, self.cdn):
            server.shutdown()
            server.server_close()

    def fault(self, where, *kinds):
        self.faults.setdefault(where, []).extend(kinds)

    def take(self, where):
        with self.lock:
            waiting = self.faults.get(where)
            return waiting.pop(0) if waiting else None

    def requests(self, where):
        return [headers for place, _, _, headers in self.seen if place == where]
