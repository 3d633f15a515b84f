"""Folders that are indexed by a server while another run of them is at work."""
import time

from harness import LIMIT_S, main
from server import ServeTest
from test_serve_rpc import Client


class Runs(ServeTest):
    def setUp(self):
        super().setUp()
        self.wide = self.dir / "wide"
        for i in range(600):  # some ten seconds of vectors: cancelled long before
            words = " ".join("word%dx%d" % (i, k) for k in range(120))
            self.write("text%03d.md" % i, "# Text %d\n\n%s\n" % (i, words), root=self.wide)
        self.socket = self.dir / "s"
        self.serve("--socket", str(self.socket), "--config", "serve.allowed_roots=%s,%s" % (self.wide, self.tree))
        self.wait_ready()

    def begin(self, **how):
        reply = self.ok(self.post("/v1/index", {"path": str(self.wide), **how}), 202)
        self.assertEqual(self.state(reply["run"]), "running")
        return reply["run"]

    def state(self, run):
        return self.ok(self.call("GET", "/v1/runs/%d" % run))["run"]["state"]

    def cancel(self):
        for run in self.ok(self.call("GET", "/v1/runs"))["runs"]:
            if run["state"] == "running":
                self.call("DELETE", "/v1/runs/%d" % run["id"])

    def test_a_second_run_of_a_folder_is_answered_at_once_with_the_one_at_work(self):
        run = self.begin()
        for body in ({"path": str(self.wide)}, {"path": str(self.wide), "collection": "wide"},
                     {"path": str(self.wide / "text001.md"), "collection": "wide"}, {"path": str(self.wide), "force": True}):
            error = self.refused(self.post("/v1/index", body), 409, "is being indexed by run %d" % run)
            self.assertEqual((error["code"], error["run"], error["fix"]), ("busy", run, "GET /v1/runs/%d?follow=1" % run))
        client = Client(self.socket)
        self.addCleanup(client.s.close)
        error = client.call("index", path=str(self.wide))["error"]
        self.assertEqual((error["code"], error["run"]), ("busy", run))
        self.assertEqual(self.state(run), "running")
        self.cancel()

    def test_a_folder_that_is_asked_for_through_a_link_is_known_by_it(self):
        link = self.dir / "link"
        link.symlink_to(self.wide)
        run = self.ok(self.post("/v1/index", {"path": str(link)}), 202)["run"]
        for path in (link, self.wide):
            self.assertEqual(self.refused(self.post("/v1/index", {"path": str(path)}), 409)["run"], run)
        self.cancel()

    def test_after_the_run_the_folder_can_be_indexed_again(self):
        run = self.begin()
        self.refused(self.post("/v1/index", {"path": str(self.wide)}), 409)
        self.ok(self.call("DELETE", "/v1/runs/%d" % run))
        deadline = time.monotonic() + LIMIT_S
        while (reply := self.post("/v1/index", {"path": str(self.wide), "lex_only": True})).status == 409:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.assertGreater(self.ok(reply, 202)["run"], run)

    def test_another_folder_and_who_waits_have_their_turn(self):
        run = self.begin(lex_only=True)
        self.ok(self.post("/v1/index", {"path": str(self.wide), "wait": True, "lex_only": True}))
        self.assertEqual(self.state(run), "succeeded")
        run = self.begin(force=True)
        self.ok(self.call("DELETE", "/v1/runs/%d" % run))
        self.ok(self.post("/v1/index", {"path": str(self.tree)}), 202)


if __name__ == "__main__":
    main()
