"""What a server keeps open between searches: the same files for the next one, those of now after a change, none after a removal."""
import json
import time
import urllib.error
import urllib.request

from harness import BINARY, LIMIT_S, PythiaTest, main, subprocess


class Shelf(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.index("--collection", "kept")
        self.server = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0"], cwd=self.dir, env=self.env,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(self.server.stdout.close)
        self.addCleanup(self.server.wait)
        self.addCleanup(self.server.kill)
        self.url = json.loads(self.server.stdout.readline())["http"]
        end = time.monotonic() + LIMIT_S
        while self.call("GET", "/ready")[0] == 503 and time.monotonic() < end:
            time.sleep(0.02)

    def call(self, method, path, body=None):
        """(status, reply)"""
        request = urllib.request.Request(self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def found(self, query, mode="hybrid"):
        status, reply = self.call("POST", "/v1/search", {"query": query, "collections": ["kept"], "mode": mode})
        self.assertEqual(status, 200, reply)
        return [hit["path"] for hit in reply["results"]]

    def mapped(self):
        """Index files that the server has mapped, and those of them that are removed."""
        with open("/proc/%d/maps" % self.server.pid, encoding="utf-8") as maps:
            files = {line.split(None, 5)[5].strip() for line in maps if str(self.home / "index") in line}
        return files, {name for name in files if name.endswith("(deleted)")}

    def folder(self):
        return next((self.home / "index").iterdir())

    def test_files_stay_open_and_are_opened_once(self):
        self.found("retry")
        files, gone = self.mapped()
        self.assertTrue(any(name.endswith(".rows") for name in files), files)
        self.assertTrue(any(name.endswith(".seg") for name in files), files)
        for _ in range(5):
            self.found("retry")
        self.assertEqual(self.mapped(), (files, gone))

    def test_what_another_process_indexed_is_found_by_the_next_search(self):
        self.assertNotIn("new.txt", self.found("zygomorphic", "lexical"))
        before = self.found("zygomorphic flowers of orchids")
        self.assertNotIn("new.txt", before)
        self.write("new.txt", "Orchids have zygomorphic flowers.\n")
        self.index("--collection", "kept")
        self.assertEqual(self.found("zygomorphic", "lexical"), ["new.txt"])
        self.assertEqual(self.found("flowers that can be mirrored in one plane only", "semantic")[0], "new.txt")
        self.assertEqual(self.mapped()[1], set())
        (self.tree / "new.txt").unlink()
        self.index("--collection", "kept")
        self.assertEqual(self.found("zygomorphic", "lexical"), [])
        self.index("--collection", "kept", "--force", "--index", "exact")
        self.assertNotIn("new.txt", self.found("zygomorphic flowers of orchids"))
        self.assertEqual(self.mapped()[1], set())

    def test_damage_that_comes_later_is_told(self):
        self.found("retry")
        rows = next(self.folder().glob("vec-*.rows"))
        whole = rows.read_bytes()
        with open(rows, "r+b") as file:  # in place: the same file, as a failing disk would have it
            file.seek(len(whole) - 40)
            file.write(bytes(255 - byte for byte in whole[-40:-8]))
        status, reply = self.call("POST", "/v1/search", {"query": "retry", "collections": ["kept"], "mode": "semantic"})
        self.assertGreaterEqual(status, 500, reply)
        self.assertIn(str(rows), reply["error"]["message"])
        self.assertEqual((reply["error"]["code"], reply["error"]["fix"]), ("corrupt", "pythia index --force"))
        with open(rows, "r+b") as file:
            file.write(whole)
        self.found("retry", "semantic")

    def test_a_removed_collection_holds_no_files(self):
        self.found("retry")
        self.assertNotEqual(self.mapped()[0], set())
        status, reply = self.call("DELETE", "/v1/collections/kept")
        self.assertEqual(status, 200, reply)
        self.assertEqual(self.mapped()[0], set())


if __name__ == "__main__":
    main()
