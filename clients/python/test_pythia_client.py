"""The Python client against the real server."""
import concurrent.futures
import os
import pathlib
import socket
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "cli"), str(pathlib.Path(__file__).resolve().parent)]

from harness import BINARY, LIMIT_S, PythiaTest, main
from pythia_client import Pythia, PythiaError

DOCUMENTS = [{"id": "soup", "title": "Soup", "text": "Simmer ripe tomatoes with basil for twenty minutes."},
             {"id": "lamp", "text": "The keeper lights the lamp of the lighthouse at dusk."}]


class ClientTest(PythiaTest):
    def start(self, **how):
        pythia = Pythia.start(BINARY, home=self.home, timeout=LIMIT_S, **how)
        self.addCleanup(pythia.stop)
        return pythia

    def test_documents_are_put_and_found(self):
        pythia = self.start()
        self.assertEqual(pythia.health()["status"], "ok")
        self.assertEqual(pythia.add_documents(DOCUMENTS)["documents"], 2)
        self.assertEqual(pythia.search("who lights the lamp", limit=1)["results"][0]["path"], "lamp")
        pythia.add_documents([{"id": "lamp", "text": "Nobody."}], collection="other")
        self.assertEqual({c["name"] for c in pythia.call("collections")["collections"]}, {"documents", "other"})
        found = pythia.search("tomatoes", mode="lexical", collections=["documents"], explain=True)
        self.assertIn("explain", found["results"][0])
        answer = pythia.ask("How long does the soup simmer?", abstain=0)
        self.assertIn("twenty minutes", answer["answer"])
        one, two = pythia.embed(["a", "b"], kind="query")
        self.assertEqual((len(one), len(two)), (384, 384))

    def test_many_threads_share_a_connection(self):
        pythia = self.start()
        pythia.add_documents(DOCUMENTS)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda i: pythia.search(["tomatoes", "lamp"][i % 2], mode="lexical"), range(60)))
        for i, reply in enumerate(found):
            self.assertEqual(reply["results"][0]["path"], ["soup", "lamp"][i % 2])

    def test_errors_are_told(self):
        pythia = self.start()
        pythia.add_documents(DOCUMENTS)
        for call, code, part in [(lambda: pythia.search(""), "usage", "'query'"),
                                 (lambda: pythia.search("a", collections=["nowhere"]), "no_collection", "nowhere"),
                                 (lambda: pythia.search("a", nonsense=1), "usage", "unknown field 'nonsense'"),
                                 (lambda: pythia.call("nonsense"), "usage", "unknown method 'nonsense'"),
                                 (lambda: pythia.call("health", x="y" * (65 << 20)), "limit", "at most")]:
            with self.assertRaises(PythiaError) as caught:
                call()
            self.assertEqual(caught.exception.code, code)
            self.assertIn(part, str(caught.exception))
        self.assertEqual(pythia.health()["status"], "ok")

    def test_a_server_that_cannot_start_says_why(self):
        for binary, arguments, part in [(BINARY, ["--http", "nonsense"], "nonsense"), ("/nowhere/pythia", [], "/nowhere/pythia"),
                                        ("/bin/true", [], "exit code 0")]:
            with self.assertRaises(PythiaError) as caught:
                Pythia.start(binary, home=self.home, arguments=arguments)
            self.assertEqual(caught.exception.code, "start")
            self.assertIn(part, str(caught.exception))
        with self.assertRaises(PythiaError) as caught:
            Pythia.connect(self.dir / "nowhere")
        self.assertIn("no server at", str(caught.exception))
        self.assertIn("pythia serve --socket", caught.exception.fix)

    def test_stop_ends_the_server_and_close_does_not(self):
        pythia = self.start()
        process, folder = pythia._process, pythia._folder
        other = Pythia.connect(os.path.join(folder, "s"), timeout=LIMIT_S)
        other.stop()
        self.assertEqual(pythia.health()["status"], "ok")
        pythia.stop()
        self.assertEqual(process.returncode, 0)
        self.assertFalse(os.path.exists(folder))
        with self.assertRaises(PythiaError) as caught:
            pythia.health()
        self.assertEqual(caught.exception.code, "closed")

    def test_a_killed_server_is_told_to_all_who_wait(self):
        pythia = self.start()
        process = pythia._process
        process.kill()
        with self.assertRaises(PythiaError) as caught:
            for _ in range(1000):
                pythia.health()
        self.assertEqual(caught.exception.code, "closed")
        pythia.stop()

    def liar(self, data, name="liar"):
        """Connected to a server that answers the first call with these bytes."""
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(self.dir / name))
        door.listen(1)
        self.addCleanup(door.close)

        def run():
            with door.accept()[0] as s:
                s.recv(1 << 16)
                s.sendall(data)
                while s.recv(1 << 16):
                    pass

        threading.Thread(target=run, daemon=True).start()
        pythia = Pythia.connect(self.dir / name, timeout=LIMIT_S)
        self.addCleanup(pythia.close)
        return pythia

    def test_a_server_that_lies_is_not_believed(self):
        for i, (data, code) in enumerate([(b"\xff\xff\xff\xff", "closed"), (b"\0\0\0\1{", "closed"), (b"\0\0\0\2[]", "closed"),
                                          (b'\0\0\0\x08{"id":1}', "unknown"), (b'\0\0\0\x12{"id":1,"error":7}', "unknown")]):
            pythia = self.liar(data, "liar%d" % i)
            with self.assertRaises(PythiaError) as caught:
                pythia.health()
            self.assertEqual(caught.exception.code, code)

    def test_who_is_not_answered_in_time_hears_of_it(self):
        pythia = self.liar(b"")
        with self.assertRaises(PythiaError) as caught:
            pythia.call("health", timeout=0.05)
        self.assertEqual(caught.exception.code, "timeout")


if __name__ == "__main__":
    main()
