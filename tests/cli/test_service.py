"""`pythia serve` under a service manager: what it tells of itself, and the units in packaging/; the dashboard of its metrics there."""
import json
import os
import pathlib
import re
import shutil
import socket
import time
import urllib.request

from harness import BINARY, LIMIT_S, PythiaTest, main, signal, subprocess

PACKAGING = pathlib.Path(__file__).resolve().parents[2] / "packaging"
UNITS = PACKAGING / "systemd"


class Notify(PythiaTest):
    needs_model = False

    def manager(self, address):
        """A service manager's socket; an address that begins with @ is abstract."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind("\0" + address[1:] if address[0] == "@" else address)
        s.settimeout(LIMIT_S)
        self.addCleanup(s.close)
        return s

    def serve(self, *flags, env=None):
        process = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0", *flags], cwd=self.dir, env={**self.env, **(env or {})},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_it_tells_when_it_is_ready_and_when_it_ends(self):
        for address in (str(self.dir / "notify"), "@pythia-test-%d" % os.getpid()):
            manager = self.manager(address)
            process = self.serve(env={"NOTIFY_SOCKET": address})
            self.assertEqual(manager.recv(4096), b"READY=1\nSTATUS=answering")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(manager.recv(4096).split(b"\n")[0], b"STOPPING=1")
            self.assertEqual(process.wait(LIMIT_S), 0)

    def test_ready_is_told_when_calls_are_accepted(self):
        manager = self.manager(str(self.dir / "notify"))
        process = self.serve("--socket", str(self.dir / "s"), env={"NOTIFY_SOCKET": str(self.dir / "notify")})
        manager.recv(4096)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.dir / "s"))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(LIMIT_S), 0)

    def test_signs_of_life_come_as_often_as_they_are_wanted(self):
        manager = self.manager(str(self.dir / "notify"))
        process = self.serve(env={"NOTIFY_SOCKET": str(self.dir / "notify"), "WATCHDOG_USEC": "400000"})
        told = [manager.recv(4096) for _ in range(4)]
        self.assertTrue(told[0].startswith(b"READY=1"))
        self.assertEqual(told[1:], [b"WATCHDOG=1"] * 3)
        process.kill()

    def test_signs_of_life_that_another_process_is_to_give_are_not_given(self):
        manager = self.manager(str(self.dir / "notify"))
        self.serve("--idle-exit", "500ms", env={"NOTIFY_SOCKET": str(self.dir / "notify"), "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
        self.assertTrue(manager.recv(4096).startswith(b"READY=1"))
        self.assertTrue(manager.recv(4096).startswith(b"STOPPING=1"))

    def test_without_a_manager_it_serves_all_the_same(self):
        for address in ("", "nonsense", str(self.dir / "nobody"), "@", "/" + "x" * 200):
            process = self.serve("--idle-exit", "1ms", env={"NOTIFY_SOCKET": address})
            self.assertEqual(process.wait(LIMIT_S), 0)

    def test_a_server_that_cannot_start_is_not_called_ready(self):
        manager = self.manager(str(self.dir / "notify"))
        run = self.pythia("serve", "--http", "127.0.0.1:0", "--tls-cert", "/nowhere", env={"NOTIFY_SOCKET": str(self.dir / "notify")})
        self.assertNotEqual(run.code, 0)
        self.assertTrue(manager.recv(4096).startswith(b"STOPPING=1"))


class Units(PythiaTest):
    needs_model = False

    def test_units_are_well_formed(self):
        analyze = shutil.which("systemd-analyze")
        for kind in ("system", "user"):
            unit = UNITS / kind / "pythia.service"
            text = unit.read_text()
            self.assertIn("Type=notify", text)
            self.assertGreater(int(re.search(r"TimeoutStopSec=(\d+)", text)[1]), 10)  # the server's own ten seconds
            if not analyze:
                continue  # what is above is all that can be told here
            here = self.write("%s/pythia.service" % kind, text.replace("/usr/local/bin/pythia", BINARY), root=self.dir)
            done = subprocess.run([analyze, "--%s" % kind, "--man=no", "verify", str(here)], capture_output=True, text=True, timeout=LIMIT_S,
                                  env={**os.environ, "XDG_RUNTIME_DIR": str(self.dir)})
            self.assertEqual((done.returncode, done.stderr), (0, ""))


class Dashboard(PythiaTest):
    """packaging/grafana/pythia.json against the metrics of a server that was asked something."""

    def metrics(self):
        """{name: the labels of its lines}"""
        self.make_tree()
        self.index()
        process = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0", "--log", "none"], cwd=self.dir, env=self.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        url = json.loads(process.stdout.readline())["http"]
        urllib.request.urlopen(url + "/v1/search?q=soup&mode=lexical").read()
        labels = {}
        for line in urllib.request.urlopen(url + "/metrics").read().decode().splitlines():
            if not line.startswith("#"):
                name, told = re.match(r"([a-z_]+)(?:{(.*)})? ", line).groups()
                labels.setdefault(name, set()).update(re.findall(r'(\w+)="', told or ""))
        return labels

    def test_it_asks_for_what_there_is_and_shows_all_of_it(self):
        board, there, shown = json.loads((PACKAGING / "grafana" / "pythia.json").read_text()), self.metrics(), set()
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                expr = target["expr"]
                self.assertEqual((expr.count("("), expr.count("{"), expr.count("[")), (expr.count(")"), expr.count("}"), expr.count("]")))
                names = re.findall(r"\b(?:pythia|process)_[a-z_]+", expr)
                self.assertTrue(names, expr)
                self.assertLessEqual(set(names), set(there), expr)
                shown.update(names)
                wanted = {l for by in re.findall(r"by \(([^)]*)\)", expr) for l in re.split(r"[, ]+", by)} | set(re.findall(r"(\w+)=", expr))
                known = set.union(*(there[n] for n in names)) | {"instance"}  # Prometheus tells the instance
                self.assertLessEqual(wanted - {""}, known, expr)
                self.assertLessEqual(set(re.findall(r"{{(\w+)}}", target["legendFormat"])), wanted, expr)
        families = {re.sub("_(bucket|sum|count)$", "", n) if "le" in there.get(re.sub("_(sum|count)$", "_bucket", n), ()) else n for n in there}
        self.assertEqual(families - {re.sub("_(bucket|sum|count)$", "", n) for n in shown}, {"pythia_uptime_seconds"})

    def test_its_panels_stand_beside_each_other(self):
        panels, taken = json.loads((PACKAGING / "grafana" / "pythia.json").read_text())["panels"], set()
        self.assertEqual(len({p["id"] for p in panels}), len(panels))
        for panel in panels:
            at = panel["gridPos"]
            cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(at["x"] + at["w"], 24)
            taken |= cells


if __name__ == "__main__":
    main()
