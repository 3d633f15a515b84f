#!/usr/bin/env python3
"""A whole indexing run: memory of every stage, and how much of the engine's own speed reaches its end.

    python3 bench/whole_run.py FOLDER --pythia build/pythia [--model MODEL] [--precision fast] [--texts 2000] [--stop-after SECONDS] [-- INDEX FLAGS]

Indexes FOLDER into a data folder of its own and samples the process every 10 ms: resident memory, and of it what only the process can
give back (anonymous), processes that read documents added. Then takes --texts of the run's own chunks at even distances and has
`pythia bench embed` embed them, before and behind which nothing differs but the pipeline. Since machines are shared, the speeds that
are compared are tokens a second of CPU time; tokens a second of wall time stand beside them. --stop-after interrupts the run that long
behind the first vector: enough for the memory of a tree too large to be embedded whole.

Standard library only. Linux.
"""
import argparse
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
EVERY_S = 0.01


def numbers_of(pid):
    """(resident, anonymous) in bytes of a process; zeros when it is gone."""
    try:
        lines = pathlib.Path("/proc/%d/status" % pid).read_text().splitlines()
    except OSError:
        return 0, 0
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
    return kilobytes.get("VmRSS", 0) << 10, kilobytes.get("RssAnon", 0) << 10


def children_of(pid):
    try:
        return [int(p) for p in pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()]
    except OSError:
        return []


def cpu_of(pid):
    try:
        fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS


class Stage:
    def __init__(self):
        self.began = self.cpu_before = self.wall = self.cpu = 0.0
        self.resident = self.anonymous = self.readers = 0


class Watch:
    """The stages of a run, in order, with what each of them took."""

    def __init__(self, process):
        self.process, self.stages, self.now = process, {}, None
        self.ended = False
        self.enter("start")

    def enter(self, name):
        cpu = cpu_of(self.process.pid)
        self.leave(cpu)
        self.now = self.stages.setdefault(name, Stage())
        self.now.began, self.now.cpu_before = time.monotonic(), cpu or 0

    def leave(self, cpu=None):
        if self.now is None:
            return
        cpu = cpu if cpu is not None else cpu_of(self.process.pid)
        self.now.wall += time.monotonic() - self.now.began
        self.now.cpu += max(0.0, (cpu or self.now.cpu_before) - self.now.cpu_before)

    def sample(self):
        stage = self.now
        resident, anonymous = numbers_of(self.process.pid)
        stage.resident, stage.anonymous = max(stage.resident, resident), max(stage.anonymous, anonymous)
        stage.readers = max(stage.readers, sum(numbers_of(pid)[1] for pid in children_of(self.process.pid)))

    def sampling(self):
        while not self.ended:
            self.sample()
            time.sleep(EVERY_S)


def run(args, env):
    """The report of the run (None: it was stopped), and its stages."""
    command = [args.pythia, "index", args.folder, "--collection", "whole", "--json", "--progress", "json", *args.flags]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watch = Watch(process)
    thread = threading.Thread(target=watch.sampling, daemon=True)
    thread.start()
    name, stop_at = "start", None
    for line in process.stderr:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("stage") not in (None, name, "done"):
            name = event["stage"]
            watch.enter(name)
        if name == "embed" and args.stop_after and stop_at is None:
            stop_at = time.monotonic() + args.stop_after
        if stop_at and time.monotonic() > stop_at:
            process.send_signal(signal.SIGINT)
            stop_at = None
    watch.leave()
    watch.ended = True
    out = process.stdout.read()
    process.wait()
    thread.join()
    report = json.loads(out)["reports"][0] if process.returncode in (0, 9) else None
    return report, watch.stages


def chunks_of(home, root, wanted):
    """Texts of the run's own chunks that have files, at even distances."""
    store = sqlite3.connect(home / "pythia.db")
    rows = store.execute("SELECT d.path, c.start, c.\"end\" FROM chunks c JOIN documents d ON d.id = c.document "
                         "JOIN document_versions v ON v.id = d.version WHERE v.blob IS NULL AND c.tokens > 0 ORDER BY c.id").fetchall()
    store.close()
    step = max(1, len(rows) // wanted)
    texts, path, data = [], None, b""
    for where, start, end in rows[::step][:wanted]:
        if where != path:
            path, data = where, (root / where).read_bytes()
        texts.append(data[start:end].decode(errors="replace"))
    return texts


def bench(args, env, texts, folder):
    file = folder / "texts.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    flags = ["--precision", args.precision, *(["--model", args.model] if args.model else [])]
    done = subprocess.run([args.pythia, "bench", "embed", "--input", str(file), *flags], env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--pythia", required=True)
    parser.add_argument("--gguf", default=".setup/models/all-minilm-l6-v2.gguf")
    parser.add_argument("--model")
    parser.add_argument("--precision", default="fast", help="of both")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--stop-after", type=float)
    given = sys.argv[1:]
    mine = given[:given.index("--")] if "--" in given else given
    args = parser.parse_args(mine)
    args.flags = given[len(mine) + 1:]
    args.pythia = str(pathlib.Path(args.pythia).resolve())
    args.flags += ["--config", "model.precision=" + args.precision, *(["--model", args.model] if args.model else [])]
    with tempfile.TemporaryDirectory(prefix="pythia-whole-") as folder:
        home = pathlib.Path(folder) / "home"
        (home / "models").mkdir(parents=True)
        for file in pathlib.Path(args.gguf).resolve().parent.glob("*.gguf"):
            (home / "models" / file.name).symlink_to(file)
        env = {**os.environ, "PYTHIA_HOME": str(home)}
        report, stages = run(args, env)
        print("| stage | wall, s | CPU, s | peak resident, MB | peak anonymous, MB | readers of documents, MB |\n|---|---|---|---|---|---|")
        for name, s in stages.items():
            print("| %s | %.2f | %.2f | %.0f | %.0f | %.0f |" % (name, s.wall, s.cpu, s.resident / 1e6, s.anonymous / 1e6, s.readers / 1e6))
        if not report:
            return
        speed = bench(args, env, chunks_of(home, pathlib.Path(args.folder).resolve(), args.texts), pathlib.Path(folder))
    each = speed["tokens"] / speed["texts"]
    cpu = sum(s.cpu for s in stages.values())
    wall = sum(s.wall for s in stages.values())
    engine = speed["cpu_texts_per_s"] * each
    embed = report["tokens"] / stages["embed"].cpu
    print("\n%d files, %d chunks, %d tokens in %.1f s, %.1f s of CPU" % (report["added"], report["embedded"], report["tokens"], wall, cpu))
    print("| tokens a second | of CPU time | of wall time |\n|---|---|---|")
    print("| bench embed, %d of its chunks | %.0f | %.0f |" % (speed["texts"], engine, speed["tokens_per_s"]))
    print("| stage embed | %.0f (%.1f %%) | %.0f |" % (embed, 100 * embed / engine, report["tokens"] / stages["embed"].wall))
    print("| the whole run | %.0f (%.1f %%) | %.0f |" % (report["tokens"] / cpu, 100 * report["tokens"] / cpu / engine, report["tokens"] / wall))


if __name__ == "__main__":
    main()
