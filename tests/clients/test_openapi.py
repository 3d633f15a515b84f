"""/openapi.json, held against the real server by schemathesis: requests that fit the description and that do not, to every operation; each
answer must have a described status, the described media type and shape, and none may be a failure of the server. What is checked, and
what not, says schemathesis.toml. `make test-official` sets up what is needed."""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cli"))

from harness import LIMIT_S, main, subprocess
from server import ServeTest


class OpenApi(ServeTest):
    def test_requests_are_answered_as_described(self):
        self.serve("--log", "none")
        self.wait_ready()
        schemathesis = pathlib.Path(sys.executable).with_name("schemathesis")
        done = subprocess.run([schemathesis, "--config-file", HERE / "schemathesis.toml", "run", self.ready["http"] + "/openapi.json",
                               "--phases", "coverage,fuzzing", "--max-examples", "10", "--generation-deterministic", "--no-color"],
                              cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * LIMIT_S)
        told = done.stdout[-20000:] + done.stderr[-2000:]
        self.assertEqual(done.returncode, 0, told)
        self.assertEqual(self.server.poll(), None, told)
        counted = re.search(r"(\d+) generated", done.stdout)
        self.assertGreater(int(counted.group(1)), 500, told)
        print("schemathesis: %s requests" % counted.group(1), file=sys.stderr)


if __name__ == "__main__":
    main()
