"""The binary for 64-bit ARM, emulated, beside this machine's own: the levels of kernels, vectors, a small index.

PYTHIA_BINARY is the ARM program, PYTHIA_EMULATOR what runs it ("qemu-aarch64 -L ROOT", which QEMU_CPU gives a CPU),
PYTHIA_NATIVE_BINARY this machine's program; `make test-arm` sets them.
"""
import json
import math
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "cli"))
from harness import PythiaTest, Run, BINARY, LIMIT_S, main, strip, subprocess  # noqa: E402

EMULATOR = os.environ.get("PYTHIA_EMULATOR", "").split()
NATIVE = os.environ.get("PYTHIA_NATIVE_BINARY", "")
LEVELS = {  # CPU: the levels it can run, slowest first
    "cortex-a72": ["scalar", "neon"],
    "neoverse-n1": ["scalar", "neon", "neondotprod"],
    "max": ["scalar", "neon", "neondotprod", "neonbf16"],
}
# Cosine to this machine's f32: f32 differs by rounding alone; the others as model/embed.h promises for short texts.
LEAST = {"f32": 0.999999, "exact": 0.9999, "fast": 0.997}
TEXT = "\n".join('{"text": "%s"}' % t for t in (
    "read a file line by line and try again after an error", "tomato soup with basil", "naïve 日本語")) + "\n"


def cosine(a, b):
    return math.fsum(x * y for x, y in zip(a, b)) / math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))


class Arm(PythiaTest):
    def setUp(self):
        super().setUp()
        if not EMULATOR or not os.access(NATIVE, os.X_OK):
            self.fail("PYTHIA_EMULATOR=%r, PYTHIA_NATIVE_BINARY=%r; run: make test-arm" % (EMULATOR, NATIVE))

    def run_on(self, cpu, *args, stdin=""):
        """On a CPU of the emulator's, or on this machine's with None."""
        program = [NATIVE] if cpu is None else [*EMULATOR, "-cpu", cpu, BINARY]
        done = subprocess.run([*program, *args], cwd=self.tree, env=self.env, input=stdin.encode(), capture_output=True,
                              timeout=LIMIT_S)
        self.assertEqual(done.returncode, 0, "%s\n%s" % (" ".join(args), done.stderr.decode(errors="replace")))
        return Run(done.returncode, done.stdout.decode(), done.stderr.decode())

    def vectors(self, cpu, precision):
        lines = self.run_on(cpu, "embed", "-", "--config", "model.precision=" + precision, stdin=TEXT).out.splitlines()
        return [json.loads(line)["embedding"] for line in lines]

    def test_each_cpu_gets_its_best_level(self):
        for cpu, levels in LEVELS.items():
            findings = self.run_on(cpu, "doctor", "--json").json["findings"]
            kernels = next(f["detail"] for f in findings if f["what"] == "kernels")
            self.assertTrue(kernels.startswith("%s (this CPU can run %s)" % (levels[-1], ", ".join(levels))),
                            "%s: %s; an emulator older than qemu 7 lacks the newest" % (cpu, kernels))

    def test_vectors_are_those_of_this_machine(self):
        want = self.vectors(None, "f32")
        for cpu in LEVELS:
            for precision, least in LEAST.items():
                for got, exact in zip(self.vectors(cpu, precision), want, strict=True):
                    self.assertGreaterEqual(cosine(got, exact), least, "%s, %s" % (cpu, precision))

    def test_an_index_made_on_arm_answers_as_here(self):
        self.make_tree()
        fast = ["--json", "--config", "model.precision=fast"]  # an emulator does integers in a tenth of the time
        self.run_on("max", "index", *fast)
        for question in ("wait longer after each failed attempt", "how to cook tomatoes", "parse_iso8601"):
            there, here = (strip(self.run_on(cpu, "search", question, *fast).json)["results"] for cpu in ("max", None))
            self.assertEqual([hit["path"] for hit in there], [hit["path"] for hit in here])
            self.assertTrue(there)


if __name__ == "__main__":
    main()
