"""Pythia from Python: search and answers from your own code and documents, over the Unix socket of `pythia serve`.

    from pythia_client import Pythia

    with Pythia.start() as pythia:                     # a server of one's own; Pythia.connect(path) takes one that runs
        pythia.add_documents([{"id": "soup", "text": "Simmer ripe tomatoes with basil."}])
        for hit in pythia.search("what to cook", limit=3)["results"]:
            print(hit["path"], hit["score"])

The protocol: 4 bytes of length, big-endian, then JSON, both ways. Replies are those of REST, as dictionaries. Calls of several
threads are under way at once on the one connection. Only the standard library is used.
"""
import itertools
import json
import os
import queue
import shutil
import socket
import struct
import subprocess
import tempfile
import threading

__all__ = ["Pythia", "PythiaError"]
__version__ = "0.1.0"

FRAME_MAX = 64 << 20  # bytes of a message; the server's limit, too
START_S = 60.0  # the socket is there within a second; on a machine with much to do, later
STOP_S = 15.0  # the server gives calls that are under way 8 s


class PythiaError(Exception):
    """What went wrong: a code for programs ("usage", "no_collection", "closed", "timeout" …), and the command that mends it, or None."""

    def __init__(self, code, message, fix=None):
        super().__init__(message)
        self.code, self.fix = code, fix


class Pythia:
    """One connection to a server. Any thread may call; close() or stop() ends it."""

    def __init__(self, path, timeout=60.0):
        """Connects to the server that listens at path; timeout: seconds to wait for an answer, None: for ever."""
        self.timeout = timeout
        self._process = self._folder = None
        self._ids = itertools.count(1)
        self._lock = threading.Lock()  # guards _waiting and _broken, and is held while a frame is sent
        self._waiting = {}  # id -> the queue that its answer goes to
        self._broken = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(os.fspath(path))
        except OSError as e:
            self._socket.close()
            raise PythiaError("closed", "no server at '%s': %s" % (path, e.strerror), "pythia serve --socket %s" % path) from e
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    # ---- its life ----

    @classmethod
    def connect(cls, path, timeout=60.0):
        """A server that runs: `pythia serve --socket PATH`."""
        return cls(path, timeout)

    @classmethod
    def start(cls, binary="pythia", home=None, arguments=(), timeout=60.0):
        """A server of one's own, which stop() ends. home: the data folder (PYTHIA_HOME); arguments: more flags of `pythia serve`."""
        folder = tempfile.mkdtemp(prefix="pythia-")
        path = os.path.join(folder, "s")
        environment = dict(os.environ, **({"PYTHIA_HOME": os.fspath(home)} if home else {}))
        with open(os.path.join(folder, "log"), "w+b") as log:
            try:
                process = subprocess.Popen([binary, "serve", "--socket", path, *arguments], env=environment, stdin=subprocess.DEVNULL,
                                           stdout=subprocess.PIPE, stderr=log)
            except OSError as e:
                shutil.rmtree(folder, ignore_errors=True)
                raise PythiaError("start", "cannot run '%s': %s" % (binary, e.strerror)) from e
            late = threading.Timer(START_S, process.kill)
            late.start()
            line = process.stdout.readline()
            late.cancel()
            try:
                if json.loads(line)["status"] == "ready":
                    self = cls(path, timeout)
                    self._process, self._folder = process, folder
                    return self
            except (ValueError, KeyError, TypeError):
                pass
            _end(process)
            log.seek(0)
            said = log.read()[-2000:].decode(errors="replace").strip()
        shutil.rmtree(folder, ignore_errors=True)
        raise PythiaError("start", "the server did not start: %s" % (said or "exit code %s" % process.returncode))

    def stop(self):
        """Ends the server when start() began it: what is under way is answered first. Then closes the connection."""
        process, self._process = self._process, None
        if process:
            try:
                self.call("shutdown", timeout=STOP_S)
            except PythiaError:
                process.terminate()
            _end(process)
        self.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def close(self):
        """Closes the connection; a server that start() began goes on until stop()."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        if self._reader is not threading.current_thread():
            self._reader.join()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- calls ----

    def health(self):
        """{"status": "ok", "version", "uptime_s"}"""
        return self.call("health")

    def add_documents(self, documents, collection=None):
        """Puts texts into a collection ("documents" unless named): dictionaries with "text", and "id" and "title" if you like. The same
        id again replaces one. Returns {"documents", "chunks", …} when they can be found."""
        return self.call("index", documents=list(documents), **_given(collection=collection))

    def search(self, query, limit=10, **fields):
        """{"results": [{"path", "start_line", "score", "content", …}], …}. fields: mode, min_score, collections, path, lang, filters,
        explain, rerank, collapse, deadline_ms."""
        return self.call("search", query=query, limit=limit, **fields)

    def ask(self, question, **fields):
        """{"answer", "abstained", "confidence", "citations", "sources", …}"""
        return self.call("ask", question=question, **fields)

    def embed(self, texts, **fields):
        """The vectors of a list of texts, in its order. fields: kind ("query", "document"), model, dimensions, truncate."""
        return self.call("embed", texts=list(texts), **fields)["embeddings"]

    def call(self, method, timeout=None, **params):
        """Any call by its name, as in REST: call("collections"), call("read", id="k3f9a2")."""
        number, answer = next(self._ids), queue.SimpleQueue()
        message = json.dumps({"id": number, "method": method, "params": params}).encode()
        if len(message) > FRAME_MAX:
            raise PythiaError("limit", "the request has %d bytes; at most %d are taken" % (len(message), FRAME_MAX))
        with self._lock:
            if self._broken:
                raise PythiaError("closed", self._broken)
            self._waiting[number] = answer
            try:
                self._socket.sendall(struct.pack(">I", len(message)) + message)
            except OSError as e:
                del self._waiting[number]
                raise PythiaError("closed", "the connection is closed: %s" % e) from e
        try:
            got = answer.get(timeout=timeout or self.timeout)
        except queue.Empty:
            with self._lock:
                self._waiting.pop(number, None)
            raise PythiaError("timeout", "'%s' was not answered within %g s" % (method, timeout or self.timeout)) from None
        if isinstance(got, PythiaError):
            raise got
        if "result" in got:
            return got["result"]
        error = got["error"] if isinstance(got.get("error"), dict) else {}
        raise PythiaError(error.get("code", "unknown"), error.get("message", "neither a result nor an error"), error.get("fix"))

    # ---- the reader ----

    def _exactly(self, n):
        got = bytearray()
        while len(got) < n:
            piece = self._socket.recv(min(n - len(got), 1 << 20))
            if not piece:
                raise OSError("the server has ended the connection")
            got += piece
        return bytes(got)

    def _read(self):
        try:
            while True:
                size = struct.unpack(">I", self._exactly(4))[0]
                if size > FRAME_MAX:
                    raise OSError("the server says that a message has %d bytes" % size)
                message = json.loads(self._exactly(size))
                with self._lock:
                    answer = self._waiting.pop(message.get("id"), None)
                if answer:  # None: it came too late
                    answer.put(message)
        except (OSError, ValueError, AttributeError) as e:
            with self._lock:
                self._broken = "the connection is closed: %s" % e
                waiting, self._waiting = self._waiting, {}
            for answer in waiting.values():
                answer.put(PythiaError("closed", self._broken))


def _given(**fields):
    return {name: value for name, value in fields.items() if value is not None}


def _end(process):
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
