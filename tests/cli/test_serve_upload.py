"""Uploads over HTTP: multipart, a file as the body, base64; streamed to disk, hashed, known again, refused."""
import base64
import hashlib
import http.client
import json
import os
import threading

from documents import docx, paragraph, pdf
from harness import LIMIT_S, main, signal
from server import ServeTest

LETTER = docx(paragraph("The glacier", "berschrift1") + paragraph("In summer the river carries turquoise water."),
              title="A letter about ice")
REPORT = pdf(["The first page is about granite.", "The second page is about basalt."])


def uri(content):
    return "upload://sha256:" + hashlib.sha256(content).hexdigest()


def form(parts, boundary="tides"):
    """parts: (name, value) or (name, filename, bytes)."""
    out = b""
    for part in parts:
        out += b"--%s\r\nContent-Disposition: form-data; name=\"%s\"" % (boundary.encode(), part[0].encode())
        if len(part) == 3:
            out += b"; filename=\"%s\"\r\nContent-Type: application/octet-stream" % part[1].encode()
        value = part[-1]
        out += b"\r\n\r\n" + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return out + b"--%s--\r\n" % boundary.encode()


class UploadTest(ServeTest):
    indexed = False

    def upload(self, parts, boundary="tides", **how):
        return self.call("POST", "/v1/upload", form(parts, boundary),
                         {"Content-Type": "multipart/form-data; boundary=" + boundary}, **how)

    def lexical(self, query, collection="documents"):
        return self.ok(self.post("/v1/search", {"query": query, "mode": "lexical", "collections": collection}))["results"]

    def spooled(self):
        return [name for name in os.listdir(self.home / "tmp")] if (self.home / "tmp").exists() else []


class Uploads(UploadTest):
    shared = []

    def test_files_of_a_form_are_found(self):
        reply = self.ok(self.upload([("collection", "mine"), ("file", "letter.docx", LETTER), ("other", "report.pdf", REPORT)]))
        self.assertEqual((reply["collection"], reply["added"], [f["outcome"] for f in reply["files"]]), ("mine", 2, ["added"] * 2))
        document = reply["files"][0]["document"]
        self.assertEqual((document["uri"], document["title"], document["bytes"]), (uri(LETTER), "A letter about ice", len(LETTER)))
        hit = self.lexical("basalt", "mine")[0]
        self.assertEqual((hit["path"], hit["page"], hit["uri"]), ("report.pdf", 2, uri(REPORT)))
        again = self.ok(self.upload([("file", "copy.docx", LETTER), ("collection", "mine")]))
        self.assertEqual((again["known"], again["run"], again["files"][0]["document"]), (1, None, document))
        self.assertEqual(self.ok(self.call("GET", "/v1/documents/letter.docx?collection=mine"))["document"]["sha256"],
                         hashlib.sha256(LETTER).hexdigest())
        self.ok(self.call("DELETE", "/v1/documents/report.pdf?collection=mine"))
        self.assertEqual(self.lexical("basalt", "mine"), [])
        self.assertEqual(self.spooled(), [])

    def test_a_file_may_be_the_whole_body(self):
        reply = self.ok(self.call("POST", "/v1/upload?name=ferry.html&collection=raw&title=The+timetable",
                                  b"<h1>Ferries</h1><p>across the fjord at noon</p>", {"Content-Type": "text/html"}))
        self.assertEqual((reply["files"][0]["document"]["path"], reply["files"][0]["document"]["title"]), ("ferry.html", "The timetable"))
        self.assertEqual(self.lexical("fjord", "raw")[0]["heading"], "Ferries")
        self.refused(self.call("POST", "/v1/upload", b"x", {"Content-Type": "text/plain"}), 400, "needs a 'name'")
        self.refused(self.call("POST", "/v1/upload?name=x.txt"), 400, "multipart/form-data", "base64")

    def test_base64_serves_the_doors_without_forms(self):
        request = {"name": "notes.md", "content": base64.b64encode(b"# Tides\n\nMeasured at the pier.\n").decode(), "collection": "rpc"}
        self.assertEqual(self.ok(self.post("/v1/upload", request))["added"], 1)
        self.assertEqual(self.lexical("pier", "rpc")[0]["heading"], "Tides")
        self.refused(self.post("/v1/upload", {**request, "content": "!"}), 400, "'content' is no base64")
        self.refused(self.post("/v1/upload", {"name": "x.txt"}), 400, "give files as multipart/form-data")
        self.refused(self.post("/v1/upload", {**request, "size": 3}), 400, "size")

    def test_every_cut_of_the_stream_gives_the_same(self):
        body = form([("title", "Tides\r\n--tide"), ("file", "a.txt", b"--tides of\r\n--tid\r\n\r\nwater\r\n"), ("collection", "cuts")])
        for size in (1, 2, 3, 7, 64):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
            pieces = (body[i:i + size] for i in range(0, len(body), size))
            connection.request("POST", "/v1/upload", pieces, {"Content-Type": "multipart/form-data; boundary=tides"}, encode_chunked=True)
            reply = connection.getresponse()
            answer = json.loads(reply.read())
            self.assertEqual(reply.status, 200, answer)
            connection.close()
            self.assertEqual(answer["files"][0]["document"]["uri"], uri(b"--tides of\r\n--tid\r\n\r\nwater\r\n"))
            self.assertEqual(answer["files"][0]["document"]["title"], "Tides\r\n--tide")

    def test_what_is_no_upload_is_refused(self):
        kind = {"Content-Type": "multipart/form-data; boundary=tides"}
        self.refused(self.call("POST", "/v1/upload", b"x", {"Content-Type": "multipart/form-data; x"}), 400, "no boundary")
        self.refused(self.call("POST", "/v1/upload", form([("file", "a.txt", b"abc")])[:-12], kind), 400, "not well-formed")
        self.refused(self.upload([("colour", "red"), ("file", "a.txt", b"abc")]), 400, "colour")
        self.refused(self.upload([("collection", "x" * 9000), ("file", "a.txt", b"abc")]), 413, "'collection' has more than 8192 bytes")
        self.refused(self.upload([("file", "%d.txt" % i, b"%d" % i) for i in range(65)]), 413, "more than 64 files")
        self.refused(self.upload([("name", "x.txt"), ("file", "a.txt", b"abc"), ("file", "b.txt", b"abd")]), 400, "are of one file; 2 came")
        self.refused(self.upload([("file", "picture.bin", b"\0\1\2")]), 400, "'picture.bin': binary (NUL at byte 0)")
        reply = self.ok(self.upload([("file", "picture.bin", b"\0\1\2"), ("file", "c.txt", b"a capstan"), ("collection", "some")]))
        self.assertEqual([f["outcome"] for f in reply["files"]], ["refused", "added"])
        self.refused(self.call("GET", "/v1/upload"), 405)
        self.assertEqual(self.spooled(), [])

    def test_it_is_in_openapi(self):
        operation = self.ok(self.call("GET", "/openapi.json"))["paths"]["/v1/upload"]["post"]
        content = operation["requestBody"]["content"]
        self.assertEqual(set(content), {"application/json", "multipart/form-data", "application/octet-stream"})
        self.assertIn("file", content["multipart/form-data"]["schema"]["properties"])
        self.assertEqual(operation["x-role"], "write")


class Limits(UploadTest):
    def test_a_reader_may_not_upload_and_nothing_of_it_is_kept(self):
        token = self.pythia("token", "create", "reader", "--json", code=0).json["token"]
        self.serve()
        self.refused(self.upload([("file", "a.txt", b"abc")], token=token), 403, "the role 'write'")
        self.refused(self.upload([("file", "a.txt", b"abc")]), 401)

    def test_sizes_are_limited_while_they_come(self):
        self.serve("--config", "serve.max_upload=1M", "--config", "serve.max_body=1K")
        self.wait_ready()
        self.ok(self.upload([("file", "a.txt", b"lighthouse " * 50000)]))
        self.refused(self.upload([("file", "a.txt", b"x" * (1 << 20))]), 413, "at most 1048576 bytes")

        def endless():
            for _ in range(48):
                yield b"x" * (1 << 18)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request("POST", "/v1/upload?name=a.txt", endless(), {"Content-Type": "text/plain"}, encode_chunked=True)
            self.assertEqual(connection.getresponse().status, 413)
        except (ConnectionError, http.client.HTTPException):
            pass  # cut off while it was still sending
        connection.close()
        self.assertEqual(self.ok(self.call("GET", "/health"))["status"], "ok")
        self.assertEqual(self.spooled(), [])

    def test_memory_does_not_grow_with_an_upload(self):
        self.serve()
        self.wait_ready()

        def peak():
            with open("/proc/%d/status" % self.server.pid) as f:
                return next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))

        self.ok(self.upload([("file", "a.txt", b"a capstan")]))
        before = peak()
        self.refused(self.upload([("file", "big.docx", b"\0" * (48 << 20))]), 400, "broken DOCX")
        self.assertLess(peak() - before, 16 << 10)  # KB

    def test_several_uploads_at_a_time(self):
        self.serve()
        self.wait_ready()
        replies = []

        def one(i):
            replies.append(self.ok(self.upload([("file", "n.md", b"# Note\n\nabout the %s\n" % (b"qx" * (i % 4 + 2)))])))

        threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual((sum(r["added"] for r in replies), sum(r["known"] for r in replies)), (4, 4))
        listed = self.ok(self.call("GET", "/v1/documents?collection=documents"))["documents"]
        self.assertEqual(sorted(d["path"] for d in listed), ["n-2.md", "n-3.md", "n-4.md", "n.md"])
        self.assertEqual(self.pythia("verify", "--json", code=0).json["report"], [])

    def upload_until(self, send, process):
        """Uploads from several threads, sends the signal when some were answered; the names of all that were."""
        answered, wrong, some = [], [], threading.Event()

        def one(worker):
            number = 0
            while process.poll() is None:
                name, number = "%s-%d-%d.md" % (send.name, worker, number), number + 1
                try:
                    reply = self.upload([("file", name, ("# %s\n\nabout the harbour of %s\n" % (name, name)).encode())])
                except (OSError, http.client.HTTPException):
                    break  # the server is gone, or goes
                if reply.status == 200 and reply.json["added"] == 1:
                    answered.append(name)
                    if len(answered) >= 10:
                        some.set()
                elif reply.status != 503:
                    wrong.append(reply.body)
                    some.set()

        threads = [threading.Thread(target=one, args=(i,)) for i in range(6)]
        for t in threads:
            t.start()
        self.assertTrue(some.wait(LIMIT_S))
        process.send_signal(send)
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])
        self.assertEqual(process.wait(timeout=LIMIT_S), 0 if send == signal.SIGTERM else -send)
        return answered

    def test_what_was_answered_is_there_after_an_end_under_load(self):
        answered = []
        for send in (signal.SIGTERM, signal.SIGKILL):
            process = self.serve("--config", "serve.ingest_workers=2")
            self.wait_ready()
            answered += self.upload_until(send, process)
        self.serve()
        page = self.ok(self.call("GET", "/v1/documents?collection=documents&limit=1000"))
        self.assertFalse(page["has_more"])
        self.assertEqual(set(answered) - {d["path"] for d in page["documents"]}, set())
        self.assertEqual(self.lexical('"harbour of %s"' % answered[-1])[0]["path"], answered[-1])
        self.wait_ready()
        self.ok(self.upload([("file", "after.md", b"# After\n\nall is well\n")]))
        self.assertEqual(self.spooled(), [])
        self.assertEqual(self.pythia("verify", "--json", code=0).json["report"], [])


if __name__ == "__main__":
    main()
