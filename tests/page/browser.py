"""A Chromium without a window, driven over a pipe by its DevTools protocol (NUL-ended JSON on descriptors 3 and 4)."""
import collections
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
LIMIT_S = 60
KEYS = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "Tab": 9}


def found():
    """The program, or None."""
    return os.environ.get("PYTHIA_TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="pythia-browser-")
        theirs_in, self.out = os.pipe()
        self.into, theirs_out = os.pipe()

        def place():
            os.dup2(theirs_in, 103), os.dup2(theirs_out, 104)
            os.dup2(103, 3), os.dup2(104, 4)

        flags = ["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--no-default-browser-check", "--user-data-dir=" + self.folder]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # which root cannot have
        self.process = subprocess.Popen([found(), *flags, "about:blank"], preexec_fn=place, pass_fds=(3, 4, theirs_in, theirs_out),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in), os.close(theirs_out)
        self.held, self.events, self.last, self.session = b"", collections.deque(), 0, None

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.out), os.close(self.into)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- the protocol ----

    def receive(self, until):
        while b"\0" not in self.held:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.into], [], [], left)[0]:
                raise TimeoutError("the browser says nothing")
            piece = os.read(self.into, 1 << 16)
            if not piece:
                raise EOFError("the browser has ended")
            self.held += piece
        message, self.held = self.held.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + LIMIT_S
        while True:
            got = self.receive(until)
            if got.get("id") == message["id"]:
                if "error" in got:
                    raise AssertionError("%s: %s" % (method, got["error"]))
                return got["result"]
            self.events.append(got)

    # ---- a page ----

    def open(self, url):
        """A new tab, with nothing of those before."""
        self.session = None
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context, width=1000, height=900)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.session = session
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(domain + ".enable")
        self.events.clear()
        self.go(url)

    def go(self, url=None):
        """Another document, or the same anew, until it is loaded."""
        until = time.monotonic() + LIMIT_S
        before = len(self.seen("Page.loadEventFired"))
        if url:
            self.call("Page.navigate", url=url)
        else:
            self.call("Page.reload")
        while len(self.events_named("Page.loadEventFired")) == before:
            self.events.append(self.receive(until))

    def run(self, script):
        """What a script in the page comes to."""
        got = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in got:
            raise AssertionError("%s: %s" % (script, got["exceptionDetails"]))
        return got["result"].get("value")

    def wait(self, script):
        """Until it holds in the page."""
        until = time.monotonic() + LIMIT_S
        while not self.run("Boolean(%s)" % script):
            if time.monotonic() > until:
                raise AssertionError("never came: %s\n%s" % (script, self.run("document.body.innerText")))
            time.sleep(0.03)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def key(self, key, ctrl=False):
        code = KEYS.get(key, ord(key[0].upper()))
        same = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": 2 if ctrl else 0}
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        self.call("Input.dispatchKeyEvent", type="keyDown", **same, **({"text": text} if text and not ctrl else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **same)

    def seen(self, method):
        """Events of that name so far."""
        self.run("0")
        return self.events_named(method)

    def events_named(self, method):
        return [e["params"] for e in self.events if e.get("method") == method and e.get("sessionId") == self.session]

    def picture(self, path):
        import base64
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
