"""Runs that are followed until they are over: as events over HTTP, as one late reply over the other doors. A run of another process is
played by its row."""
import contextlib
import http.client
import json
import sqlite3
import time

from harness import BINARY, LIMIT_S, main, signal, subprocess
from server import ServeTest
from test_serve_ask import events
from test_serve_rpc import Client

MOST = 64  # FOLLOW_MAX


class Follow(ServeTest):
    def sql(self, text, *values):
        with contextlib.closing(sqlite3.connect(self.home / "pythia.db", timeout=LIMIT_S)) as db, db:
            return db.execute(text, values).lastrowid

    def begin(self):
        """A run as another process has it under way."""
        return self.sql("INSERT INTO ingestion_runs (collection, state, stage, error, done, total, failures, queued_ms, started_ms, beat_ms,"
                        " ended_ms) VALUES (1, 1, 'read', '', 5, 50, 0, 1, 1, ?, 0)", int(time.time() * 1000))

    def beat(self, run, done):
        self.sql("UPDATE ingestion_runs SET done = ? WHERE id = ?", done, run)

    def finish(self, run):
        self.sql("UPDATE ingestion_runs SET state = 2, stage = 'done', done = total, ended_ms = 2 WHERE id = ?", run)

    def follow(self, run):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        self.addCleanup(connection.close)
        connection.request("GET", "/v1/runs/%d?follow=1" % run)
        reply = connection.getresponse()
        return reply, events(reply)

    def test_a_run_under_way_is_told_as_it_goes_on(self):
        self.serve()
        run = self.begin()
        reply, coming = self.follow(run)
        self.assertEqual(reply.status, 200)
        self.assertTrue(reply.headers["Content-Type"].startswith("text/event-stream"))
        kind, first = next(coming)
        self.assertEqual((kind, first["status"], first["rate"]), ("progress", "ok", None))
        self.assertEqual(first["run"], self.ok(self.call("GET", "/v1/runs/%d" % run))["run"])
        self.beat(run, 25)
        kind, second = next(coming)
        self.assertEqual((kind, second["run"]["done"], second["run"]["total"]), ("progress", 25, 50))
        self.assertGreater(second["rate"], 0)
        self.finish(run)
        kind, last = next(coming)
        self.assertEqual((kind, last["run"]["state"]), ("done", "succeeded"))
        self.assertEqual(last["run"], self.ok(self.call("GET", "/v1/runs/%d" % run))["run"])
        self.assertEqual(list(coming), [])

    def test_a_run_that_is_over_or_is_none_is_told_at_once(self):
        self.serve()
        reply, coming = self.follow(1)
        self.assertEqual([(kind, data["run"]["state"]) for kind, data in coming], [("done", "succeeded")])
        self.refused(self.call("GET", "/v1/runs/99?follow=1"), 404, "99")
        self.refused(self.call("GET", "/v1/runs/1?follow=perhaps"), 400, "'follow' must be true or false")
        self.refused(self.call("DELETE", "/v1/runs/1?follow=1"), 400, "unknown field 'follow'; valid: id")

    def test_one_that_is_cancelled_ends_for_all_who_follow(self):
        self.serve()
        run = self.begin()
        streams = [self.follow(run)[1] for _ in range(3)]
        for coming in streams:
            self.assertEqual(next(coming)[0], "progress")
        self.ok(self.call("DELETE", "/v1/runs/%d" % run))
        for coming in streams:
            kind, last = list(coming)[-1]
            self.assertEqual((kind, last["run"]["state"]), ("done", "cancelled"))

    def test_followers_hold_no_worker_and_are_limited(self):
        self.serve("--config", "serve.workers=1")
        run = self.begin()
        streams = [self.follow(run)[1] for _ in range(MOST)]
        for coming in streams:
            self.assertEqual(next(coming)[0], "progress")
        self.refused(self.call("GET", "/v1/runs/%d?follow=1" % run), 503, "follow a run already")
        self.ok(self.call("GET", "/v1/runs"))  # the one worker is free
        self.finish(run)
        for coming in streams:
            self.assertEqual(list(coming)[-1][0], "done")

    def test_the_servers_end_is_told(self):
        process = self.serve()
        run = self.begin()
        _, coming = self.follow(run)
        next(coming)
        process.send_signal(signal.SIGTERM)
        kind, last = list(coming)[-1]
        self.assertEqual((kind, last["error"]["message"]), ("error", "the server is shutting down"))
        self.assertEqual(process.wait(timeout=LIMIT_S), 0)

    def test_a_client_that_leaves_is_let_go(self):
        self.serve()
        run = self.begin()
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
            connection.request("GET", "/v1/runs/%d?follow=1" % run)
            next(events(connection.getresponse()))
            connection.close()
        done, deadline = 6, time.monotonic() + LIMIT_S
        while self.ok(self.call("GET", "/metrics?format=json"))["requests"].get("run", {"total": 0})["total"] < 3:
            self.assertLess(time.monotonic(), deadline)
            done = done % 50 + 1
            self.beat(run, done)  # it is noticed when there is something to send
            time.sleep(0.05)

    def test_other_doors_wait_for_the_end(self):
        path = self.dir / "pythia.sock"
        server = subprocess.Popen([BINARY, "serve", "--socket", str(path)], cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, server)
        self.assertTrue(json.loads(server.stdout.readline()))
        run = self.begin()
        client = Client(path)
        self.addCleanup(client.s.close)
        client.send({"id": 1, "method": "run", "params": {"id": run, "follow": True}})
        client.send({"id": 2, "method": "run", "params": {"id": run}})
        before = client.receive()  # the other call is not held up
        self.assertEqual((before["id"], before["result"]["run"]["state"]), (2, "running"))
        self.finish(run)
        after = client.receive()
        self.assertEqual((after["id"], after["result"]["run"]["state"]), (1, "succeeded"))


if __name__ == "__main__":
    main()
