"""HTTPS: a certificate made here, a client that checks it, and files that are none."""
import http.client
import json
import os
import socket
import ssl
import urllib.parse
import warnings

from harness import BINARY, LIMIT_S, PythiaTest, main, subprocess, without_override


class Tls(PythiaTest):
    needs_model = False

    def setUp(self):
        super().setUp()
        self.cert, self.key = self.certificate("own")

    def certificate(self, name, subject="/CN=localhost"):
        cert, key = self.dir / (name + ".pem"), self.dir / (name + ".key")
        names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"] if subject == "/CN=localhost" else []
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", subject, *names, "-keyout", str(key), "-out", str(cert)],
                       check=True, capture_output=True, timeout=LIMIT_S)
        return str(cert), str(key)

    def serve(self):
        process = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0", "--tls-cert", self.cert, "--tls-key", self.key], cwd=self.dir,
                                   env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        url = urllib.parse.urlsplit(json.loads(process.stdout.readline())["http"])
        self.assertEqual(url.scheme, "https")
        self.port = url.port

    def connect(self, context):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=LIMIT_S, context=context)
        self.addCleanup(connection.close)
        return connection

    def test_calls_go_over_https(self):
        self.serve()
        connection = self.connect(ssl.create_default_context(cafile=self.cert))
        for i in range(3):  # on one connection
            connection.request("GET", "/health")
            reply = connection.getresponse()
            self.assertEqual((reply.status, json.loads(reply.read())["status"]), (200, "ok"))
        connection.request("POST", "/v1/search", json.dumps({"query": "a", "mode": "lexical"}), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        self.assertEqual((reply.status, json.loads(reply.read())["error"]["code"]), (404, "no_collection"))
        self.assertIn(connection.sock.version(), ("TLSv1.2", "TLSv1.3"))

    def test_health_asks_over_https_and_knows_the_certificate(self):
        self.serve()
        address = "127.0.0.1:%d" % self.port
        proxy = {"https_proxy": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1", "all_proxy": "http://127.0.0.1:1"}
        for run in (self.pythia("health", "--http", address, "--tls-cert", self.cert, "--json", code=1, env=proxy),
                    self.pythia("health", "--http", address, "--json", code=1, env={"PYTHIA_SERVE_TLS_CERT": self.cert, **proxy})):
            # It is reached, and says what a server without a model says.
            self.assertIn("the model 'all-minilm-l6-v2'", run.json["error"]["message"])
        named, _ = self.certificate("named", "/CN=search.example.com")
        self.assertIn("certificate", self.pythia("health", "--http", address, "--tls-cert", named, code=1).err)
        self.assertIn("none.pem", self.pythia("health", "--http", address, "--tls-cert", str(self.dir / "none.pem"), code=1).err)
        self.assertIn("not healthy", self.pythia("health", "--http", address, code=1).err)  # plain HTTP

    def test_health_takes_a_certificate_of_another_name(self):
        self.cert, self.key = self.certificate("named", "/CN=search.example.com")
        self.serve()
        run = self.pythia("health", "--http", "127.0.0.1:%d" % self.port, "--tls-cert", self.cert, "--json", code=1)
        self.assertIn("the model 'all-minilm-l6-v2'", run.json["error"]["message"])

    def test_old_versions_are_refused(self):
        self.serve()
        context = ssl.create_default_context(cafile=self.cert)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises(OSError):
            self.connect(context).request("GET", "/health")

    def test_a_client_that_trusts_another_certificate_hangs_up(self):
        self.serve()
        other, _ = self.certificate("other")
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.connect(ssl.create_default_context(cafile=other)).request("GET", "/health")

    def test_plain_http_and_nonsense_are_not_answered(self):
        self.serve()
        for data in (b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 5000, b"\0" * 300):
            with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S) as s:
                got = b""
                try:  # the server may hang up at any moment
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                    while piece := s.recv(4096):
                        got += piece
                except OSError as e:
                    self.assertNotIsInstance(e, TimeoutError)
                self.assertNotIn(b"HTTP/1.1 200", got)
        self.test_calls_go_over_https()

    def test_files_that_are_none_are_told(self):
        other, other_key = self.certificate("other")
        empty, words = str(self.write("empty.pem", "", root=self.dir)), str(self.write("words.pem", "no certificate\n", root=self.dir))
        locked = str(self.dir / "locked.key")
        subprocess.run(["openssl", "ec", "-in", self.key, "-aes256", "-passout", "pass:a", "-out", locked], check=True, capture_output=True)
        for cert, key, code, part in [("/nowhere.pem", self.key, 2, "'/nowhere.pem'"), (self.cert, "/nowhere.key", 2, "'/nowhere.key'"),
                                      (self.cert, None, 2, "serve.tls_cert and serve.tls_key belong together"),
                                      (None, self.key, 2, "serve.tls_cert and serve.tls_key belong together"),
                                      (words, self.key, 2, "'%s' and '%s' are no certificate in PEM and its key" % (words, self.key)),
                                      (self.cert, words, 2, "are no certificate in PEM and its key"),
                                      (empty, self.key, 2, "are no certificate in PEM and its key"),
                                      (self.cert, other_key, 2, "are no certificate in PEM and its key"),
                                      (self.cert, locked, 2, "are no certificate in PEM and its key"),
                                      (str(self.dir), self.key, 2, "'%s'" % self.dir)]:
            flags = [x for x in ("--tls-cert=%s" % cert if cert else None, "--tls-key=%s" % key if key else None) if x]
            self.assertFails(self.pythia("serve", "--http", "127.0.0.1:0", *flags), code, part)

    def test_a_key_that_may_not_be_read_is_told(self):
        os.chmod(self.key, 0)
        run = subprocess.run([*without_override(), BINARY, "serve", "--http", "127.0.0.1:0", "--tls-cert", self.cert, "--tls-key", self.key],
                             env=self.env, cwd=self.dir, capture_output=True, text=True, timeout=LIMIT_S)
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertIn("'%s': Permission denied" % self.key, run.stderr)


if __name__ == "__main__":
    main()
