"""HTTP as it stands on the wire: requests that are none, lengths that lie, clients that do not behave."""
import json
import re
import socket

from harness import LIMIT_S, main
from server import ServeTest


class Lines(ServeTest):
    """Raw bytes: framing, slowness, half-closed connections."""
    shared = ["--config", "serve.timeout=1s"]

    def status_lines(self, data, **how):
        got = self.raw(data, **how)
        # libmicrohttpd 0.9.75 writes the head of its own refusals twice, in one piece, and closes.
        got = re.sub(rb"(HTTP/1\.1 (?:[^\r\n]+\r\n)+\r\n)\1", rb"\1", got)
        return re.findall(rb"HTTP/1\.1 (\d\d\d)", got)

    def test_smuggling_is_refused_and_the_connection_closed(self):
        hidden = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        body = b'{"query":"a"}'
        for heads in [b"Content-Length: 13\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 13\r\nContent-Length: 14\r\n",
                      b"Content-Length: 13\r\nContent-Length: 13\r\n", b"Content-Length: +13\r\n", b"Content-Length: -1\r\n",
                      b"Content-Length: 99999999999999999999999\r\n", b"Content-Length: 13, 13\r\n",
                      b"Content-Length: 0x0d\r\n", b"Content-Length: 1 3\r\n", b"Transfer-Encoding: xchunked\r\n",
                      b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                      b"Transfer-Encoding: identity\r\nContent-Length: 13\r\n",
                      # names that are none, and lines that go on
                      b"Content-Length : 13\r\n", b"Transfer-Encoding\t: chunked\r\nContent-Length: 13\r\n",
                      b"Content-Length:\r\n 13\r\n", b"Content-Length: 1\r\n 3\r\n",
                      b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 13\r\n",
                      b"Transfer-Encoding: chun\r\n\tked\r\nContent-Length: 13\r\n",
                      b"X: y\r\n Content-Length: 13\r\n", b"X-\xe9: y\r\nContent-Length: 13\r\n"]:
            request = (b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + heads + b"\r\n" +
                       body + hidden)
            got = self.status_lines(request)
            self.assertIn(got, ([b"400"], [b"413"], []), heads)

    def test_chunks_are_of_http_1_1(self):
        body = b"5\r\n{   }\r\n0\r\n\r\n"
        head = b"POST /v1/search HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
        got = self.raw(head + body)
        self.assertIn(b" 400 ", got)
        self.assertIn(b"HTTP/1.0 has no transfer encodings", got)
        self.assertEqual(got.count(b"HTTP/1.1 "), 1)

    def test_bodies_of_methods_that_want_none_are_drained(self):
        for method in (b"GET", b"DELETE", b"HEAD"):
            body = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
            request = method + b" /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            request += b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            got = self.status_lines(request)
            first = b"405" if method == b"DELETE" else b"200"
            self.assertEqual(got, [first, b"200"])

    def test_requests_behind_each_other_are_answered_in_order(self):
        one = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        last = b"GET /nope HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        self.assertEqual(self.status_lines(one * 5 + last), [b"200"] * 5 + [b"404"])

    def test_chunked_bodies_and_continue(self):
        body = b'{"query":"soup","mode":"lexical"}'
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 5]), body[i:i + 5]) for i in range(0, len(body), 5)) + b"0\r\n\r\n"
        head = b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        self.assertEqual(self.status_lines(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks), [b"200"])
        self.assertEqual(self.status_lines(head + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body) + body),
                         [b"100", b"200"])
        for bad in [b"zz\r\nabc\r\n", b"-1\r\nabc\r\n", b"ffffffffffffffffff\r\nabc\r\n"]:
            self.assertIn(self.status_lines(head + b"Transfer-Encoding: chunked\r\n\r\n" + bad), ([b"400"], [b"413"], []))

    def test_requests_that_are_none(self):
        for data in [b"\r\n\r\n", b"GET\r\n\r\n", b"GET /health\r\n\r\n", b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n",
                     b"\0\0\0\0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET /health HTTP/1.1\r\n\r\n",
                     b"GET http://evil.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
                     b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100000 + b"\r\n\r\n"]:
            got = self.status_lines(data)
            self.assertTrue(all(s[:1] in (b"4", b"5") for s in got) and len(got) <= 1, (data[:40], got))
        self.assertEqual(self.call("GET", "/health").status, 200)

    def test_slow_and_half_clients_are_dropped_and_hold_nobody_up(self):
        slow = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(20)]
        for i, s in enumerate(slow):
            s.sendall(b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"[:10 + 4 * i])
        self.assertEqual(self.call("GET", "/v1/search?q=soup").status, 200)
        for s in slow:
            s.settimeout(LIMIT_S)
            try:
                while s.recv(4096):
                    pass
            except ConnectionResetError:
                pass
            s.close()

    def test_half_closed_clients_get_their_answer(self):
        request = b"GET /v1/search?q=soup HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        self.assertEqual(self.status_lines(request, shut=True), [b"200"])

    def test_clients_that_go_away_leave_no_trace(self):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", self.port)) as s:
                s.sendall(b"GET /v1/search?q=soup HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(self.call("GET", "/v1/search?q=soup").status, 200)


class Ends(ServeTest):
    indexed = False

    def test_heads_that_the_library_refuses_leave_nothing_behind(self):
        self.serve("--config", "serve.timeout=1s")
        crumbs = b"; ".join(b"c%d=%d" % (i, i) for i in range(2000))
        fields = b"&".join(b"a%d" % i for i in range(3000))
        for head in [b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + crumbs + b"\r\n\r\n",
                     b"GET /?" + fields + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: localhost\r\n",  # and then nothing
                     b"GET / HTTP/1.1\r\nno colon\r\n\r\n"]:
            self.assertNotIn(b" 200 ", self.raw(head), head[:60])
        self.assertEqual(self.call("GET", "/health").status, 200)
        self.server.terminate()
        self.assertEqual(self.server.wait(LIMIT_S), 0)  # under a sanitizer: nothing was leaked
        self.assertNotIn("requests were under way", (self.dir / "log").read_text())


if __name__ == "__main__":
    main()
