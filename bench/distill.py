#!/usr/bin/env python3
"""nDCG@10 of a distilled static table beside its parent and beside Model2Vec's own distillation of it, in one run.

Usage: distill.py --pythia build/pythia --gguf MODEL.gguf --hf MODEL_FOLDER DIR…
DIR has corpus.jsonl, queries.jsonl and qrels.tsv (BEIR's layout). Dense search alone. Columns: the parent, `pythia model
distill` as it is, the same weighted by the set's own corpus, Model2Vec's distill() as it is. --hf "" leaves Model2Vec out.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from quality import mean_ndcg, read_set


def run(args, home, *words):
    done = subprocess.run([args.pythia, *words, "--json", "--progress", "none"], capture_output=True,
                          env={**os.environ, "PYTHIA_HOME": home})
    if done.returncode:
        sys.exit(done.stdout.decode() + done.stderr.decode())
    return json.loads(done.stdout)


def cpu_seconds():
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def model2vec(folder):
    from model2vec.distill import distill_from_model
    from transformers import AutoModel, AutoTokenizer

    return distill_from_model(AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder), device="cpu")


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def ranked_by_model2vec(model, texts, queries):
    docs = unit(model.encode(texts, max_length=256).astype(np.float32))
    asked = unit(model.encode([q["text"] for q in queries], max_length=256).astype(np.float32))
    return np.argsort(-(asked @ docs.T), axis=1, kind="stable")[:, :10]


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--pythia", default="build/pythia")
    args.add_argument("--gguf", default=".setup/models/all-minilm-l6-v2.gguf")
    args.add_argument("--hf", required=True)
    args.add_argument("--distill", default="", help="further flags of `pythia model distill`")
    args.add_argument("--no-parent", action="store_true")
    args.add_argument("folders", nargs="+")
    args = args.parse_args()
    home = tempfile.mkdtemp()
    os.makedirs(f"{home}/models")
    os.symlink(os.path.abspath(args.gguf), f"{home}/models/parent.gguf")
    before = cpu_seconds()
    made = run(args, home, "model", "distill", "parent", *args.distill.split())
    print(json.dumps({"table": made["model"]["bytes"], "tokens": made["tokens"], "explained": made["explained"],
                      "cpu_s": round(cpu_seconds() - before, 1), "wall_s": round(made["seconds"], 1)}), flush=True)
    peer, before, start = None, cpu_seconds(), time.time()
    if args.hf:
        peer = model2vec(args.hf)
        print(json.dumps({"model2vec_cpu_s": round(cpu_seconds() - before, 1),
                          "wall_s": round(time.time() - start, 1)}), flush=True)
    sums = {}
    for folder in args.folders:
        ids, texts, queries, qrels = read_set(folder)
        row = {"set": Path(folder).name}
        if not args.no_parent:
            row["parent"] = run(args, home, "eval", "run", folder, "--mode", "semantic", "--model", "parent")["ndcg_at_10"]
        row["static"] = run(args, home, "eval", "run", folder, "--mode", "semantic", "--model", "parent-static")["ndcg_at_10"]
        run(args, home, "model", "distill", "parent", "--name", "own", "--force", "--corpus", f"{folder}/corpus.jsonl",
            *args.distill.split())
        row["static_own_corpus"] = run(args, home, "eval", "run", folder, "--mode", "semantic", "--model", "own")["ndcg_at_10"]
        if peer:
            row["model2vec"] = mean_ndcg(ids, queries, qrels, ranked_by_model2vec(peer, texts, queries))
        for name, value in row.items():
            sums.setdefault(name, []).append(value)
        print(json.dumps({k: v if k == "set" else round(v, 4) for k, v in row.items()}), flush=True)
    print(json.dumps({"set": "mean", **{k: round(float(np.mean(v)), 4) for k, v in sums.items() if k != "set"}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
