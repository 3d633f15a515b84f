"""The page at "/", used in a real browser as a person uses it: typed into, walked by keys, asked; against documents that mean harm."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "cli"))
from browser import Browser, found  # noqa: E402
from harness import main  # noqa: E402
from llm import Llm  # noqa: E402
from server import ServeTest  # noqa: E402

EVIL = "<img src=x onerror='window.harmed=1'><script>window.harmed=1</script> zebra </script><b>bold</b> &amp; zebra"
TWO = "The paper tray takes fifty sheets [1]. Plug the printer in, then choose it in the settings [1]."
UNKNOWN = "who won the chess championship of 1972?"
TEXT = "document.getElementById('%s').textContent"
PATHS = "[...document.querySelectorAll('.hit .path')].map((e) => e.textContent)"


class Page(ServeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not found():
            raise AssertionError("no browser; run: apt-get install chromium")
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.llm = Llm()
        cls.addClassCleanup(cls.llm.close)
        cls.shared = ["--config", "ask.url=" + cls.llm.url, "--config", "ask.model=tiny"]

    def make_tree(self, files=None):
        super().make_tree(files)
        self.write("docs/evil.md", "# Zebra %s\n\n%s\n" % (EVIL, EVIL))
        self.write("docs/<b>name.md", "# A name with a tag\n\nThe giraffe stands in a file of an odd name.\n")
        self.write("long.txt", "".join("line %d of a long walrus text\n" % i for i in range(1, 80)))

    def setUp(self):
        super().setUp()
        self.llm.reset()
        self.llm.answer = TWO
        self.b = self.browser
        self.open()

    def tearDown(self):
        """Nothing failed in the page, nothing was asked of anybody else, and no policy was broken."""
        self.assertEqual([e for e in self.b.seen("Runtime.exceptionThrown")], [])
        logged = [e["entry"] for e in self.b.seen("Log.entryAdded") if e["entry"].get("source") != "network" and e["entry"]["level"] != "info"]
        self.assertEqual(logged, [])
        for e in self.b.seen("Network.requestWillBeSent"):
            self.assertTrue(e["request"]["url"].startswith((self.url, "data:")), e["request"]["url"])
        self.assertIsNone(self.b.run("window.harmed ?? null"))

    def open(self, hash=""):
        self.url = "http://127.0.0.1:%d/" % self.port
        self.b.open(self.url + hash)
        self.b.wait(TEXT % "health" + ".length > 3")

    def search(self, text):
        self.b.run("document.getElementById('query').select()")
        self.b.type(text)
        self.b.wait("document.getElementById('hits').ariaBusy === 'false' && " + TEXT % "status" + ".includes(' ms') && location.hash.includes(new URLSearchParams({q: %r}).toString())" % text)
        return self.b.run(PATHS)

    def ask(self, text):
        self.b.run("document.getElementById('query').select()")
        self.b.type(text)
        self.b.key("Enter", ctrl=True)
        self.b.wait("/^(Answered|No answer)/.test(%s)" % TEXT % "status")

    def test_hits_come_as_one_types(self):
        self.b.run("window.at = document.activeElement.id")
        self.assertEqual(self.b.run("window.at"), "query")
        self.assertEqual(self.search("exponential backoff")[0], "src/net/retry.c:1-10")
        marked = self.b.run("[...document.querySelectorAll('.hit mark')].map((e) => e.textContent.toLowerCase())")
        self.assertIn("backoff", marked)
        self.assertRegex(self.b.run(TEXT % "status"), r"^\d+ hits? · \d+ ms|^\d+ of \d+ hits · \d+ ms")
        self.assertRegex(self.b.run("document.querySelector('.score').textContent"), r"^\d+ %$")
        self.assertRegex(self.b.run(TEXT % "health"), r"^all-minilm-l6-v2 · \d+ documents, \d+ chunks, 100 % with vectors · Pythia ")
        self.b.run("document.getElementById('query').select()")
        self.b.type(" ")
        self.b.wait("!document.querySelector('.hit')")

    def test_keys_walk_through_hits_and_open_them(self):
        self.search("walrus text")
        path = self.b.run("document.querySelector('.path').textContent")
        self.b.key("ArrowDown")
        self.assertEqual(self.b.run("document.activeElement.querySelector('.path').textContent"), path)
        few = self.b.run("document.querySelectorAll('.hit:first-child .lines div').length")
        self.b.key("Enter")
        self.b.wait("document.querySelectorAll('.hit:first-child .lines div').length > %d" % few)
        self.assertEqual(self.b.run("document.activeElement.getAttribute('aria-expanded')"), "true")
        first, last = map(int, path.rpartition(":")[2].split("-"))
        numbers = self.b.run("[...document.querySelectorAll('.hit:first-child .at')].map((e) => Number(e.textContent))")
        self.assertEqual(numbers, list(range(max(1, first - 12), numbers[-1] + 1)))
        around = self.b.run("[...document.querySelectorAll('.hit:first-child .around .at')].map((e) => Number(e.textContent))")
        self.assertEqual(around, [n for n in numbers if n < first or n > last])
        self.b.key("ArrowDown"), self.b.key("ArrowDown")
        self.assertEqual(self.b.run("[...document.querySelectorAll('.place')].indexOf(document.activeElement)"), 2)
        self.b.key("Escape")
        self.assertEqual(self.b.run("document.activeElement.id"), "query")
        self.b.key("ArrowDown"), self.b.key("ArrowUp")
        self.assertEqual(self.b.run("document.activeElement.id"), "query")
        self.b.key("ArrowDown"), self.b.key("/")
        self.assertEqual(self.b.run("[document.activeElement.id, document.activeElement.value]"), ["query", "walrus text"])

    def test_what_documents_hold_stays_text(self):
        self.assertIn("docs/evil.md:1-3", self.search("zebra"))
        self.assertIn("<img src=x onerror='window.harmed=1'>", self.b.run("document.querySelector('.lines').textContent"))
        self.b.key("ArrowDown"), self.b.key("Enter")
        self.b.wait("document.querySelector('.hit.shown')")
        self.assertTrue(self.search("giraffe")[0].startswith("docs/<b>name.md"))
        self.assertEqual(self.b.run("document.querySelectorAll('main b, main img, main script').length"), 0)
        self.search("<script>window.harmed=1</script>")
        self.open("#q=" + "%3Cimg%20src%3Dx%20onerror%3D'window.harmed%3D1'%3E")
        self.b.wait(TEXT % "status" + ".includes(' ms')")
        self.llm.answer = "The paper tray takes fifty sheets <img src=x onerror='window.harmed=1'> [1]. " + TWO
        self.ask("how many sheets does the paper tray take?")
        self.assertEqual(self.b.run("document.querySelectorAll('main b, main img, main script').length"), 0)

    def test_modes_and_collections_are_chosen_and_kept_in_the_address(self):
        self.assertEqual(self.b.run("[...document.getElementById('collection').options].map((o) => o.value)"), ["", "tree"])
        self.search("parse_iso8601")
        self.b.run("(() => { const m = document.getElementById('mode'); m.value = 'symbol'; m.dispatchEvent(new Event('change')); })()")
        self.b.wait("document.querySelectorAll('.hit').length === 1")
        self.b.run("(() => { const m = document.getElementById('collection'); m.value = 'tree'; m.dispatchEvent(new Event('change')); })()")
        self.b.wait("location.hash.includes('in=tree')")
        self.open(self.b.run("location.hash"))
        self.b.wait("document.querySelectorAll('.hit').length === 1")
        self.open("?q=parse_iso8601&by=symbol&in=tree")  # as a link from elsewhere may have it
        self.b.wait("document.querySelectorAll('.hit').length === 1")
        self.assertEqual(self.b.run("['query', 'mode', 'collection'].map((id) => document.getElementById(id).value)"),
                         ["parse_iso8601", "symbol", "tree"])
        sent = [e["request"] for e in self.b.seen("Network.requestWillBeSent") if e["request"]["url"].endswith("/v1/search")]
        self.assertIn('"collections":["tree"]', sent[-1]["postData"])
        self.b.run("(() => { const m = document.getElementById('mode'); m.value = 'regex'; m.dispatchEvent(new Event('change')); })()")
        self.b.run("document.getElementById('query').select()")
        self.b.type("bro(ken")
        self.b.wait("document.getElementById('status').classList.contains('wrong')")

    def test_an_answer_has_numbered_sources_to_jump_to(self):
        self.ask("how many sheets does the paper tray take?")
        self.assertEqual(self.b.run(TEXT % "verdict"), "Answer")
        self.assertTrue(self.b.run(TEXT % "text").startswith("The paper tray takes fifty sheets. ["))
        number = self.b.run("document.querySelector('#text a').textContent")
        self.b.run("document.querySelector('#text a').click()")
        self.assertEqual(self.b.run("document.activeElement.querySelector('.number').textContent"), number)
        self.assertTrue(self.b.run("document.activeElement.querySelector('.path').textContent").startswith("docs/guide.md:1-"))
        self.assertIn("fifty sheets", self.b.run("document.activeElement.parentNode.querySelector('.quoted').textContent"))
        self.assertRegex(self.b.run(TEXT % "about"), r"^Confidence \d+ % · written by tiny")
        self.b.key("Escape"), self.b.type(" ")
        self.b.wait("document.getElementById('answer').hidden")

    def test_no_answer_is_said_plainly_with_what_came_nearest(self):
        self.ask(UNKNOWN)
        self.assertEqual(self.b.run(TEXT % "verdict"), "The sources do not answer this")
        self.assertEqual(self.b.run(TEXT % "text"), "")
        self.assertEqual(self.llm.seen, [])
        self.llm.answer = "It was made by Leonardo [1]."
        self.ask("how many sheets does the paper tray take?")
        self.assertEqual(self.b.run(TEXT % "verdict"), "The sources do not answer this")
        self.assertEqual(self.b.run(TEXT % "heading"), "What came nearest")
        self.assertIn("1 sentence left out", self.b.run(TEXT % "about"))
        self.llm.faults = ["status:500"]
        self.b.key("Enter", ctrl=True)
        self.b.wait("document.getElementById('status').classList.contains('wrong')")

    def test_everything_that_takes_keys_has_a_name_and_news_are_told(self):
        self.search("soup")
        nodes = self.b.call("Accessibility.getFullAXTree")["nodes"]
        focusable = [n for n in nodes if any(p["name"] == "focusable" and p["value"].get("value") for p in n.get("properties", []))]
        self.assertGreater(len(focusable), 6)
        for node in focusable:
            if node["role"]["value"] not in ("RootWebArea",):
                self.assertTrue(node.get("name", {}).get("value"), node)
        self.assertEqual(self.b.run("document.getElementById('status').getAttribute('aria-live')"), "polite")

    def test_it_is_dark_where_the_system_is(self):
        colours = []
        for scheme in ("light", "dark"):
            self.b.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            colours.append(self.b.run("getComputedStyle(document.body).backgroundColor"))
        self.assertNotEqual(*colours)
        self.b.call("Emulation.setEmulatedMedia", features=[])


class Door(ServeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def test_a_token_is_asked_for_and_kept_for_the_tab(self):
        token = self.pythia("token", "create", "page", "--json", code=0).json["token"]
        self.serve("--config", "search.mode=lexical")
        b, url = self.browser, "http://127.0.0.1:%d/" % self.port
        b.open(url)
        b.wait("document.getElementById('door').open")
        b.run("document.getElementById('token').focus()")
        b.type("pyt_wrong"), b.key("Enter")
        b.wait("document.getElementById('door').open && document.getElementById('door-why').textContent === 'That token is not valid.'")
        b.run("document.getElementById('token').focus()")
        b.type(token), b.key("Enter")
        b.wait(TEXT % "health" + ".includes('documents')")
        self.assertFalse(b.run("document.getElementById('door').open"))
        b.run("document.getElementById('query').focus()")
        b.type("soup")
        b.wait("document.querySelector('.hit')")
        self.assertEqual(b.run("[Object.keys(sessionStorage), Object.keys(localStorage), document.cookie]"), [["token"], [], ""])
        b.go()
        b.wait(TEXT % "health" + ".includes('documents')")


if __name__ == "__main__":
    main()
