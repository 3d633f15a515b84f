"""The page at "/" as it is served: whole, with a policy that only it fits. What it does in a browser: tests/page (make test-page)."""
import base64
import hashlib
import html.parser
import re

from harness import main
from server import ServeTest


class Parts(html.parser.HTMLParser):
    """Elements with their attributes, and the text of those that are read as they stand."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.raw, self.open = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.raw.setdefault(self.open[-1], []).append(data)


class Page(ServeTest):
    shared = []

    def setUp(self):
        super().setUp()
        self.reply = self.call("GET", "/")
        self.text = self.reply.body.decode()
        self.parts = Parts(self.text)

    def test_it_is_one_file_that_loads_nothing(self):
        self.assertEqual(self.reply.status, 200)
        self.assertEqual(self.reply.headers["content-type"], "text/html; charset=utf-8")
        self.assertTrue(self.text.startswith("<!doctype html>"))
        self.assertLess(len(self.reply.body), 40000)
        for tag, attributes in self.parts.elements:
            self.assertNotIn("src", attributes, tag)
            self.assertIn(attributes.get("href", "/"), ("/", "/docs", "data:,"), tag)
            self.assertEqual([name for name in attributes if name.startswith("on") or name == "style"], [], tag)
        asked = self.call("GET", "/?q=a%20question&by=lexical&in=tree&ask=1")
        self.assertEqual((asked.status, asked.body), (200, self.reply.body))
        self.assertNotRegex(self.text, r"//[a-z0-9.-]+\.[a-z]+|@import|url\(")

    def test_its_policy_lets_its_own_script_and_style_run_and_nothing_else(self):
        policy = dict(part.strip().split(" ", 1) for part in self.reply.headers["content-security-policy"].split(";"))
        for kind in ("script", "style"):
            (text,) = self.parts.raw[kind]
            own = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            self.assertEqual(policy.pop(kind + "-src"), "'sha256-%s'" % own)
        self.assertEqual(policy, {"default-src": "'none'", "connect-src": "'self'", "img-src": "data:", "base-uri": "'none'",
                                  "form-action": "'none'", "frame-ancestors": "'none'"})
        self.assertEqual(self.reply.headers["referrer-policy"], "no-referrer")
        docs = self.call("GET", "/docs").headers["content-security-policy"]
        self.assertIn("default-src 'none'", docs)
        self.assertNotIn("script-src", docs)
        self.assertNotIn("content-security-policy", self.call("GET", "/health").headers)

    def test_it_puts_what_it_gets_as_text_alone(self):
        (script,) = self.parts.raw["script"]
        self.assertNotRegex(script, r"(inner|outer)HTML|insertAdjacent|document\.write|createContextualFragment|\beval\b|new Function|setHTML|srcdoc|localStorage")

    def test_what_it_names_is_there(self):
        (script,) = self.parts.raw["script"]
        ids = [a["id"] for _, a in self.parts.elements if "id" in a]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertLessEqual(set(re.findall(r'\$\("([a-z-]+)"\)', script)), set(ids))
        labelled = {a["for"] for tag, a in self.parts.elements if tag == "label"}
        self.assertLessEqual({a["id"] for tag, a in self.parts.elements if tag in ("input", "select")}, labelled)
        paths = self.ok(self.call("GET", "/openapi.json"))["paths"]
        for path in re.findall(r'call\("(/[^"]+)"', script):
            self.assertIn(path, paths)

    def test_it_needs_no_token_and_shows_nothing_without_one(self):
        self.pythia("token", "create", "page", code=0)
        self.addCleanup(self.pythia, "token", "revoke", "page")
        self.assertEqual(self.call("GET", "/").status, 200)
        self.refused(self.call("GET", "/v1/status"), 401)


if __name__ == "__main__":
    main()
