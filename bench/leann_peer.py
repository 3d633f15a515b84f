#!/usr/bin/env python3
"""Pythia's compact index beside LEANN on the same texts, in one run: bytes, building, latency, recall, vectors computed.

    python3 -m venv /tmp/leann && /tmp/leann/bin/pip install leann        # 7.5 GB
    /tmp/leann/bin/python bench/leann_peer.py --pythia build/pythia --model-folder .setup/model-src FOLDER

FOLDER's text files are cut at line ends into pieces of some 700 bytes, each a document of its own for both. Both embed with the
same model: Pythia with the GGUF made of it (--gguf), LEANN with its folder. Queries are the first lines of pieces that neither
was given. The truth is Pythia's exact kind. A Pythia search is a whole process, from its start to the JSON on its stdout; a LEANN
search is a call of a searcher that is open. Seconds are given by the wall and by CPU time, which is what a busy machine still can
measure. Prints a table in Markdown. Without leann the script says so and measures Pythia alone.
"""
import argparse
import json
import os
import pathlib
import random
import resource
import subprocess
import tempfile
import time

PIECE = 700
K = 10


def pieces_of(folder, most):
    files = sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file() and p.stat().st_size < 1 << 20)
    random.Random(7).shuffle(files)
    out = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        piece = ""
        for line in text.splitlines(keepends=True):
            piece += line
            if len(piece) >= PIECE:
                out.append(piece)
                piece = ""
        if len(out) >= most:
            break
    return out[:most]


def question_of(piece):
    """The first line of a piece that has some words."""
    for line in piece.splitlines():
        line = line.strip(" \t#/*-=;\"'")
        if len(line.split()) >= 4:
            return line[:120]
    return None


def bytes_of(folder, pattern="*"):
    return sum(p.stat().st_size for p in pathlib.Path(folder).rglob(pattern) if p.is_file())


class Measured:
    """A block's wall and CPU seconds, those of its children too."""

    @staticmethod
    def cpu_s():
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    def __enter__(self):
        self.wall, self.cpu = time.monotonic(), self.cpu_s()
        return self

    def __exit__(self, *_):
        self.wall, self.cpu = time.monotonic() - self.wall, self.cpu_s() - self.cpu


def p50(values):
    return sorted(values)[len(values) // 2]


def pythia(args, home, *words):
    done = subprocess.run([args.pythia, *words, "--json"], env={**os.environ, "PYTHIA_HOME": str(home)},
                          capture_output=True, text=True)
    if done.returncode > 1:
        raise SystemExit("pythia %s: %s%s" % (" ".join(words), done.stdout, done.stderr))
    return json.loads(done.stdout)


def measure_pythia(args, work, tree, questions):
    home = work / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / "all-minilm-l6-v2.gguf").symlink_to(pathlib.Path(args.gguf).resolve())
    with Measured() as built:
        pythia(args, home, "index", str(tree), "--collection", "compact", "--index", "compact")
    pythia(args, home, "index", str(tree), "--collection", "truth", "--index", "exact")
    out = {"name": "Pythia compact", "build": built, "ms": [], "cpu": [], "found": [], "computed": []}
    truth = []
    for question in questions:
        ask = ("search", question, "--mode", "semantic", "--limit", str(K), "--in")
        truth.append([hit["path"] for hit in pythia(args, home, *ask, "truth")["results"]])
        with Measured() as one:
            reply = pythia(args, home, *ask, "compact")
        out["ms"].append(one.wall * 1e3)
        out["cpu"].append(one.cpu * 1e3)
        out["found"].append([hit["path"] for hit in reply["results"]])
        out["computed"].append(reply.get("recomputed", {}).get("computed", 0))
    out["index_bytes"] = bytes_of(home / "index" / "1", "vec-*")  # the words' index is beside it
    out["all_bytes"] = bytes_of(home) - bytes_of(home / "index" / "2") - bytes_of(home / "models")
    return out, truth


def measure_leann(args, work, names, texts, questions):
    from leann import LeannBuilder, LeannSearcher
    at = str(work / "leann" / "index.leann")
    pathlib.Path(at).parent.mkdir()
    with Measured() as built:
        builder = LeannBuilder(backend_name="hnsw", embedding_model=str(pathlib.Path(args.model_folder).resolve()),
                               embedding_mode="sentence-transformers")
        for name, text in zip(names, texts):
            builder.add_text(text, metadata={"name": name})
        builder.build_index(at)
    out = {"name": "LEANN", "build": built, "ms": [], "cpu": [], "found": [], "computed": []}
    searcher = LeannSearcher(at)
    searcher.search("warm up", top_k=K, complexity=args.complexity)
    for question in questions:
        with Measured() as one:
            hits = searcher.search(question, top_k=K, complexity=args.complexity)
        out["ms"].append(one.wall * 1e3)
        out["cpu"].append(one.cpu * 1e3)  # of this process: LEANN's embedding server is another
        out["found"].append([hit.metadata.get("name") for hit in hits])
    out["index_bytes"] = bytes_of(work / "leann", "*.index")
    out["all_bytes"] = bytes_of(work / "leann")
    return out


def row(out, truth, raw, n):
    # Of a piece that was cut in two, both halves may be among the ten.
    good = sum(len(set(t) & set(f)) for t, f in zip(truth, out["found"])) / sum(len(set(t)) for t in truth)
    computed = "%.1f" % (sum(out["computed"]) / len(out["computed"])) if out["computed"] else "not told"
    return "| %s | %.1f | %.0f %% | %.0f / %.0f s | %.0f ms | %.3f | %s |" % (
        out["name"], out["index_bytes"] / n, 100 * out["all_bytes"] / raw, out["build"].wall, out["build"].cpu,
        p50(out["ms"]), good, computed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--pythia", required=True)
    parser.add_argument("--gguf", default=".setup/models/all-minilm-l6-v2.gguf")
    parser.add_argument("--model-folder", default=".setup/model-src")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--complexity", type=int, default=32)
    args = parser.parse_args()
    args.pythia = str(pathlib.Path(args.pythia).resolve())
    pieces = pieces_of(args.folder, args.texts + 4 * args.queries)
    texts, held = pieces[:args.texts], pieces[args.texts:]
    questions = [q for q in map(question_of, held) if q][:args.queries]
    names = ["%05d.txt" % i for i in range(len(texts))]
    raw = sum(len(text.encode()) for text in texts)
    with tempfile.TemporaryDirectory(prefix="leann-peer-") as folder:
        work = pathlib.Path(folder)
        tree = work / "tree"
        tree.mkdir()
        for name, text in zip(names, texts):
            (tree / name).write_text(text, encoding="utf-8")
        mine, truth = measure_pythia(args, work, tree, questions)
        print("%d texts, %d bytes; %d queries\n" % (len(texts), raw, len(questions)))
        print("| | index, bytes a text | all files, of raw text | build, wall / CPU | p50 of a search | recall@10 | "
              "vectors computed |\n|---|---|---|---|---|---|---|")
        print(row(mine, truth, raw, len(texts)), flush=True)
        try:
            print(row(measure_leann(args, work, names, texts, questions), truth, raw, len(texts)))
        except ImportError as missing:
            print("\nLEANN is not measured: %s; pip install leann" % missing)


if __name__ == "__main__":
    main()
