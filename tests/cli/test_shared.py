"""Calls of the command line that a running server answers: the same bytes as without one, and no wait for one that is not well."""
import json
import os
import re
import socket
import struct
import threading

from harness import BINARY, LIMIT_S, MODEL_NAME, PythiaTest, main, signal, subprocess

PATIENT = {"PYTHIA_SERVE_SHARED_WAIT": "%ds" % LIMIT_S, "PYTHIA_LOG_LEVEL": "debug"}
HASTY = {"PYTHIA_SERVE_SHARED_WAIT": "100ms", "PYTHIA_LOG_LEVEL": "debug"}


def without_time(out):
    return re.sub(rb'"took_ms":[0-9.e+-]+', b'"took_ms":0', out)


class SharedTest(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.index()
        self.path = self.home / "pythia.sock"

    def serve(self, *flags, env=None):
        server = subprocess.Popen([BINARY, "serve", "--socket", str(self.dir / "own.sock"), *flags], cwd=self.dir,
                                  env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, server)
        self.assertEqual(json.loads(server.stdout.readline())["status"], "ready")
        return server

    def end(self, server):
        if server.poll() is None:
            server.send_signal(signal.SIGCONT)
            server.kill()
        server.wait()
        server.stdout.close()

    def by_server(self, *args, **how):
        run = self.pythia(*args, env={**PATIENT, **how.pop("env", {})}, binary=True, **how)
        self.assertIn("answered by the server at '%s' (process " % self.path, run.err)
        return run

    def by_itself(self, *args, env=None, why=None, **how):
        run = self.pythia(*args, env=env or PATIENT, binary=True, **how)
        self.assertNotIn("answered by the server", run.err)
        if why:
            self.assertIn("answered by this process: " + why, run.err)
        return run

    # ---- the same bytes ----

    def same(self, *args, **how):
        """What a server answers and what a process alone does."""
        shared, alone = self.by_server(*args, **how), self.by_itself(*args, "--in-process", **how)
        self.assertEqual(without_time(shared.out), without_time(alone.out))
        self.assertEqual(shared.code, alone.code)
        return shared


class Same(SharedTest):
    """One server for all: calls change nothing."""

    def setUp(self):
        if self.in_world():
            return
        super().setUp()
        self.serve()
        self.keep_world()

    def test_searches_are_the_same_bytes(self):
        question = "wait longer after each failed attempt"
        for mode in ("semantic", "lexical"):
            self.same("search", question, "--mode", mode, "--json", "--explain")
        for args in (["--json"], ["--jsonl"], ["--format", "md"], ["-l"], ["--explain"], ["--color", "always"],
                     ["-C", "2", "--json"], ["--full", "--json"], ["--max-tokens", "30"], ["--min-score", "0.99", "--json"],
                     ["-t", "c,python", "-g", "!*.py", "--kind", "function", "--since", "2026", "--deadline", "1m", "--json"],
                     ["-m", "1", "--in", "tree", "--json"]):
            self.same("search", question, *args)
        self.same("search", "backoff_next", "--mode", "symbol", "--json")
        self.same("search", "b->(base|due)", "--mode", "regex", "--json")
        self.same("search", 'retry lang:c -soup "failed attempt"', "--json")
        self.same("similar", "src/net/retry.c:5", "--json")
        self.assertEqual(self.same("search", "zzzzqqqq", "--mode", "lexical", "--json").code, 1)

    def test_embeddings_are_the_same_bytes(self):
        self.same("embed", "a lighthouse")
        self.same("embed", "a lighthouse", "--kind", "query", "--json")
        lines = b"".join(json.dumps({"id": i, "text": "text %d " % i * (200 if i % 30 == 7 else i % 9 * 4 + 1), "kind": "query" if i % 3 else "document"}).encode() + b"\n"
                         for i in range(90)) + b'{"id":"empty","text":""}\n{"id":"nul","text":"a\\u0000b"}\n'
        self.same("embed", "-", stdin=lines)
        self.assertEqual(self.same("embed", "-", stdin=b'{"text": 1}\n{"text":"a"}\n').code, 9)
        self.same("embed", "a", "--model", MODEL_NAME)
        self.by_itself("embed", "a", "--model", "../home/models/%s.gguf" % MODEL_NAME)

    def test_answers_are_the_same_bytes(self):
        for args in (["--json"], ["--json", "--explain"], [], ["--sources-only"], ["--quotes", "1", "--sources", "2"], ["--no-stream"]):
            self.same("ask", "What does the printer's paper tray take?", *args)
        told = self.same("ask", "Who won the chess game in Reykjavik?", "--abstain", "0.99", "--json")
        self.assertEqual((told.code, json.loads(told.out)["abstained"]), (1, True))
        self.same("ask", "Who won the chess game in Reykjavik?", "--abstain", "0.99")
        run = self.by_itself("ask", "What does the paper tray take?", "-s", "new")
        self.assertNotIn("answered by", run.err)

    def test_errors_are_the_caller_s_own(self):
        for args in (["search", "a", "--in", "nowhere"], ["embed", "a", "--model", "nowhere"], ["similar", "#k99999999"],
                     ["search", "(", "--mode", "regex"], ["search", "lang:klingon a"], ["search", "a", "/"]):
            shared, alone = self.pythia(*args, env=PATIENT), self.pythia(*args, "--in-process")
            self.assertIn("(process ", shared.err)
            self.assertEqual((shared.code, shared.out), (alone.code, alone.out))
            self.assertEqual([line for line in shared.err.splitlines() if line.startswith("pythia: ")], alone.err.splitlines())
            self.assertNotEqual(shared.code, 0)

    def test_nobody_is_asked_when_it_is_switched_off(self):
        self.by_itself("search", "soup", "--in-process", code=0)
        self.by_itself("search", "soup", "--config", "serve.shared=false", code=0)

    def test_another_configuration_is_answered_by_the_caller(self):
        for pair in ("search.alpha=0.2", "lexical.k1=2", "model.max_tokens=20"):
            self.by_itself("search", "soup", "--config", pair, code=0,
                           why="the server at '%s' (process " % self.path)
        self.same("search", "soup", "--json", "--config", "index.jobs=1", "--config", "search.limit=2")


class Others(SharedTest):
    """A tree and servers of their own: what changes, who is asked, and servers that are not well."""

    def test_a_search_stands_where_its_caller_does(self):
        other = self.dir / "other"
        self.write("note.txt", "The keeper lights the lamp at dusk.\n", root=other)
        self.pythia("index", cwd=other, code=0)
        self.serve()
        found = self.same("search", "lamp", "--json", cwd=other).out
        self.assertEqual([hit["path"] for hit in json.loads(found)["results"]], ["note.txt"])
        self.same("search", "printer", "docs", "--json")
        self.same("search", "printer", "../docs", "--json", cwd=self.tree / "src")
        self.same("search", "printer", "--json", cwd=self.tree / "src")

    def test_what_changes_is_seen_through_a_server_that_ran_before(self):
        self.serve()
        self.same("search", "lamp", "--json", "--mode", "lexical")
        self.write("lamp.txt", "The keeper lights the lamp at dusk.\n")
        self.index()
        found = json.loads(self.same("search", "lamp", "--json", "--mode", "lexical").out)
        self.assertEqual(found["results"][0]["path"], "lamp.txt")
        self.write("lamp.txt", "Nothing of it is left.\n")
        found = json.loads(self.same("search", "lamp", "--json", "--mode", "lexical").out)
        self.assertEqual(found["results"][0]["freshness"], "changed")

    def test_names_that_are_no_text_come_through(self):
        name = b"caf\xe9-\xff.txt"
        with open(os.path.join(os.fsencode(self.tree), name), "wb") as f:
            f.write(b"The keeper lights the lamp at dusk.\n")
        self.index()
        self.serve()
        self.assertIn(name, self.same("search", "keeper lights", "-l", "-0", "--mode", "lexical").out)
        folder = os.path.join(os.fsencode(self.dir), b"caf\xe9")
        os.mkdir(folder)
        with open(os.path.join(folder, b"a.txt"), "wb") as f:
            f.write(b"The cook stirs the soup.\n")
        self.pythia("index", cwd=folder, code=0)
        self.same("search", "soup", "--json", cwd=folder)

    # ---- who is asked ----

    def test_who_answered_is_told_by_explain(self):
        alone = self.pythia("search", "soup", "--explain", code=0).err
        self.assertIn("answered by this process: no server at '%s'\n" % self.path, alone)
        self.serve()
        told = self.pythia("search", "soup", "--explain", env={"PYTHIA_SERVE_SHARED_WAIT": "1m"}, code=0).err
        self.assertIn("answered by the server at '%s' (process " % self.path, told)

    def test_a_server_may_be_switched_off(self):
        self.serve(env={"PYTHIA_SERVE_SHARED": "false"})
        self.assertFalse(self.path.exists())
        self.by_itself("search", "soup", code=0, why="no server at")

    def test_servers_of_one_folder_leave_the_first_its_place(self):
        first = self.serve()
        second = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0"], cwd=self.dir, env=self.env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, second)
        self.assertEqual(json.loads(second.stdout.readline())["status"], "ready")
        self.assertIn("(process %d)" % first.pid, self.by_server("search", "soup").err)
        second.terminate()
        second.wait()
        self.assertIn("(process %d)" % first.pid, self.by_server("search", "soup").err)

    def test_the_socket_stands_in_the_runtime_folder_unless_there_is_a_home(self):
        run = self.dir / "run"
        env = {**self.env, "XDG_RUNTIME_DIR": str(run), "XDG_DATA_HOME": str(self.dir)}
        del env["PYTHIA_HOME"]
        os.rename(self.home, self.dir / "pythia")
        self.env, self.path = env, run / "pythia" / "pythia.sock"
        server = self.serve()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.path.parent.stat().st_mode & 0o777, 0o700)
        self.same("search", "soup", "--json")
        server.terminate()
        server.wait()
        self.assertFalse(self.path.exists())

    # ---- servers that are not well ----

    def test_a_socket_that_a_killed_server_left_is_nobody(self):
        server = self.serve()
        server.kill()
        server.wait()
        self.assertTrue(self.path.exists())
        self.by_itself("search", "soup", code=0, why="no server at '%s'" % self.path)
        self.serve()
        self.same("search", "soup", "--json")

    def test_a_server_that_hangs_is_not_waited_for(self):
        server = self.serve()
        server.send_signal(signal.SIGSTOP)
        run = self.by_itself("search", "soup", "--json", env=HASTY, code=0, why="the server at '%s' (process " % self.path)
        self.assertIn("does not answer within 100 ms", run.err)
        self.assertTrue(json.loads(run.out)["results"])
        big = b"".join(json.dumps({"text": "x" * 50000}).encode() + b"\n" for _ in range(20))
        self.by_itself("embed", "-", env=HASTY, stdin=big, code=0)

    def impostor(self, *behaviours):
        """Listens where a server would; each connection is handled by the next behaviour."""
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(self.path))
        door.listen(8)

        def run():
            for behave in behaviours:
                with door.accept()[0] as s:
                    s.settimeout(LIMIT_S)
                    try:
                        behave(s)
                    except OSError:
                        pass

        threading.Thread(target=run, daemon=True).start()
        self.addCleanup(door.close)

    def frames(self, s):
        def exactly(n):
            got = b""
            while len(got) < n:
                piece = s.recv(n - len(got))
                if not piece:
                    raise OSError("ended")
                got += piece
            return got
        while True:
            yield json.loads(exactly(struct.unpack(">I", exactly(4))[0]))

    def saying(self, data):
        """Answers with these bytes, whatever is asked."""
        def behave(s):
            s.sendall(data)
            while s.recv(1 << 16):
                pass
        return behave

    def answering(self, version, result):
        """A server of that version; result: what it says to the call."""
        def behave(s):
            for message in self.frames(s):
                said = {"id": message["id"], "result": {"version": version}} if message["method"] == "health" \
                    else {"id": message["id"], **result}
                data = json.dumps(said).encode()
                s.sendall(struct.pack(">I", len(data)) + data)
        return behave

    def test_impostors_and_broken_servers_are_not_believed(self):
        version = self.pythia("version", "--json", code=0).json["version"]
        reply = {"result": {"reply": {"query": "soup", "hits": []}}}
        cases = [(self.answering("0.0.0-other", reply), "is of version '0.0.0-other', this is " + version),
                 (lambda s: None, "has ended the connection"),
                 (self.saying(b"\xff\xff\xff\xff"), "does not speak the protocol"),
                 (self.saying(b"\0\0\0\2[]"), "answers what was not asked"),
                 (self.saying(b"\0\0\0\2{x"), "does not speak the protocol"),
                 (self.answering(version, reply), "does not speak the protocol"),
                 (self.answering(version, {"result": {"reply": 7}}), "does not speak the protocol"),
                 (self.answering(version, {"result": 7}), "does not speak the protocol"),
                 (self.answering(version, {"error": {"code": "busy", "message": "not now"}}), "says: not now"),
                 (self.answering(version, {}), "says: nothing")]
        self.impostor(*[behave for behave, _ in cases])
        for _, why in cases:
            run = self.by_itself("search", "soup", "--json", code=0)
            self.assertIn(why, run.err)
            self.assertEqual(json.loads(run.out)["results"][0]["path"], "docs/soup.txt")

    def test_a_vector_of_a_wrong_size_is_not_taken(self):
        version = self.pythia("version", "--json", code=0).json["version"]
        self.impostor(self.answering(version, {"result": {"reply": {"dim": 384, "vectors": "abcd", "tokens": "abcd", "truncated": "a"}}}))
        run = self.by_itself("embed", "soup", code=0)
        self.assertIn("does not speak the protocol", run.err)
        self.assertEqual(len(json.loads(run.out)["embedding"]), 384)

    def test_an_interrupt_ends_the_wait(self):
        waiting = threading.Event()

        def behave(s):
            for message in self.frames(s):
                if message["method"] != "health":
                    waiting.set()
                    continue
                data = json.dumps({"id": 0, "result": {"version": version}}).encode()
                s.sendall(struct.pack(">I", len(data)) + data)

        version = self.pythia("version", "--json", code=0).json["version"]
        self.impostor(behave)
        caller = subprocess.Popen([BINARY, "search", "soup"], cwd=self.tree, env={**self.env, **PATIENT}, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertTrue(waiting.wait(LIMIT_S))
        caller.send_signal(signal.SIGINT)
        self.assertEqual(caller.wait(LIMIT_S), 130)


if __name__ == "__main__":
    main()
