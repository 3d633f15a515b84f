"""The image, built and run without a Docker engine: buildah with chroot isolation, podman with runc. Needs root and those three
(`make test-container` sets them up).
"""
import json
import os
import pathlib
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from harness import BINARY, LIMIT_S, MODEL, MODEL_NAME, PythiaTest, main, subprocess

IMAGE = "localhost/pythia-test"
TOKEN = "a-token-for-this-test"


class Container(PythiaTest):
    """One image for all tests."""
    world = None

    def setUp(self):
        super().setUp()
        for tool in ("buildah", "podman", "runc"):
            if not shutil.which(tool):
                self.fail("%s is missing; run: make test-container" % tool)
        if not Container.world:
            Container.world = pathlib.Path(os.path.realpath(self.dir)).parent / ("pythia-container-%d" % os.getpid())
            Container.world.mkdir()
            self.addClassCleanup(shutil.rmtree, Container.world, ignore_errors=True)
            self.run_tool([ROOT / "packaging" / "container" / "rootfs.sh", BINARY, Container.world / "rootfs"])
            self.run_tool(["buildah", *self.places(), "bud", "--isolation", "chroot", "--format", "docker",
                           "-f", ROOT / "packaging" / "container" / "Dockerfile", "-t", IMAGE, Container.world])

    def places(self):
        return ["--root", Container.world / "images", "--runroot", Container.world / "run", "--storage-driver", "vfs"]

    def run_tool(self, words, code=0):
        done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=LIMIT_S)
        self.assertEqual(done.returncode, code, "%s\n%s%s" % (words, done.stdout, done.stderr))
        return done.stdout

    def podman(self, *words, code=0):
        return self.run_tool(["podman", *self.places(), "--runtime", "runc", "--cgroup-manager", "cgroupfs", *words], code=code)

    def test_it_says_what_it_is(self):
        config = json.loads(self.run_tool(["buildah", *self.places(), "inspect", "--type", "image", IMAGE]))["Docker"]["config"]
        self.assertEqual(config["User"], "65532:65532")
        self.assertEqual((config["Entrypoint"], config["Cmd"]), (["/usr/bin/pythia"], ["serve"]))
        self.assertEqual(config["Healthcheck"]["Test"], ["CMD", "/usr/bin/pythia", "health"])
        self.assertEqual((list(config["ExposedPorts"]), list(config["Volumes"])), (["8080/tcp"], ["/data"]))
        self.assertIn("PYTHIA_HOME=/data", config["Env"])

    def test_nothing_else_is_in_it(self):
        rootfs = Container.world / "rootfs"
        files = {str(p.relative_to(rootfs)) for p in rootfs.rglob("*") if not p.is_dir()}
        other = {f for f in files if ".so" not in f and not f.startswith("usr/share/doc/")}
        self.assertEqual(other, {"usr/bin/pythia", "etc/passwd", "etc/group", "etc/ssl/certs/ca-certificates.crt"})
        self.assertEqual([f for f in files if os.access(rootfs / f, os.X_OK) and ".so" not in f], ["usr/bin/pythia"])
        self.assertEqual([p for p in rootfs.rglob("*") if not p.is_symlink() and p.stat().st_mode & 0o6000], [])
        for wanted in ("libmicrohttpd.so.12", "libcurl.so.4", "libuchardet.so.0", "libsqlite3.so.0"):
            self.assertTrue([f for f in files if f.endswith(wanted)], wanted)

    def call(self, path, body=None):
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.port, path), None if body is None else json.dumps(body).encode(),
                                         {"Content-Type": "application/json", "Authorization": "Bearer " + TOKEN})
        with urllib.request.urlopen(request, timeout=LIMIT_S) as reply:
            return json.loads(reply.read())

    def start(self):
        data = self.dir / "data"
        (data / "models").mkdir(parents=True)
        shutil.copyfile(MODEL, data / "models" / (MODEL_NAME + ".gguf"))
        for path in (data, *data.rglob("*")):
            os.chown(path, 65532, 65532)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        name = self.podman("run", "-d", "--no-healthcheck", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--network", "host",
                           "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges", "-v", "%s:/data" % data,
                           "-e", "INTERNAL_AUTH_TOKEN=" + TOKEN, "-e", "PYTHIA_SERVE_HTTP=0.0.0.0:%d" % self.port, IMAGE).strip()
        self.addCleanup(subprocess.run, ["podman", *map(str, self.places()), "--runtime", "runc", "--cgroup-manager", "cgroupfs", "rm", "-f", name],
                        capture_output=True)
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                self.call("/ready")
                return name
            except (urllib.error.URLError, ConnectionError):
                self.assertLess(time.monotonic(), deadline, self.podman("logs", name))
                time.sleep(0.1)

    def test_it_serves_as_nobody_on_a_read_only_root_and_ends_when_told(self):
        name = self.start()
        self.assertEqual(self.podman("exec", name, "/usr/bin/pythia", "health"), "healthy\n")
        self.call("/v1/index", {"documents": [{"id": "lamp", "text": "The keeper lights the lamp at dusk."}]})
        self.assertEqual(self.call("/v1/search", {"query": "who is at the lighthouse"})["results"][0]["path"], "lamp")
        up = self.call("/v1/upload", {"name": "page.html", "content": "PGgxPldhdGVyPC9oMT48cD5UaGUgd2VsbCBpcyBkZWVwLjwvcD4="})
        self.assertEqual(up["files"][0]["outcome"], "added")  # read in a confined process of the container's own
        self.assertEqual((self.dir / "data" / "pythia.db").stat().st_uid, 65532)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen("http://127.0.0.1:%d/v1/collections" % self.port, timeout=LIMIT_S)
        self.assertEqual(refused.exception.code, 401)
        refused.exception.close()
        self.podman("stop", "-t", "60", name)
        self.assertEqual(json.loads(self.podman("inspect", name))[0]["State"]["ExitCode"], 0)

    def test_other_commands_are_its_arguments(self):
        self.assertIn("pythia ", self.podman("run", "--rm", "--no-healthcheck", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024",
                                             "--network", "host", "--read-only", IMAGE, "version"))


if __name__ == "__main__":
    main()
