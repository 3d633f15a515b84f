#!/usr/bin/env python3
"""nDCG@10 of Pythia beside the same computed by sentence-transformers and a BM25 library, in one run.

Usage: quality.py --pythia build/pythia --gguf MODEL.gguf --hf MODEL_FOLDER --terms build/tests/lex_tokens DIR…
(`cmake --build build --target lex_tokens` makes the last program.)
DIR has corpus.jsonl, queries.jsonl and qrels.tsv (BEIR's layout). The BM25 library gets the terms of Pythia's own analyser,
so that the ranking is compared and not the splitting of words.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def read_set(folder):
    folder = Path(folder)
    docs = read_jsonl(folder / "corpus.jsonl")
    queries = read_jsonl(folder / "queries.jsonl")
    qrels = {}
    for line in (folder / "qrels.tsv").read_text().splitlines():
        query, doc, grade = line.split("\t")
        if grade.lstrip("-").isdigit() and int(grade) > 0:
            qrels.setdefault(query, {})[doc] = int(grade)
    texts = [(d["title"] + "\n" if d.get("title") else "") + d["text"] for d in docs]
    return [d["id"] for d in docs], texts, [q for q in queries if q["id"] in qrels], qrels


def ndcg_at_10(ranked, grades):
    dcg = sum(grades.get(d, 0) / math.log2(i + 2) for i, d in enumerate(ranked[:10]))
    ideal = sum(g / math.log2(i + 2) for i, g in enumerate(sorted(grades.values(), reverse=True)[:10]))
    return dcg / ideal


def mean_ndcg(ids, queries, qrels, order):
    return sum(ndcg_at_10([ids[i] for i in row], qrels[q["id"]]) for q, row in zip(queries, order)) / len(queries)


def dense(args, texts, queries):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(args.hf, device="cpu")
    model.max_seq_length = 256
    docs = model.encode(texts, normalize_embeddings=True, batch_size=8)
    asked = model.encode([q["text"] for q in queries], normalize_embeddings=True, batch_size=8)
    return np.argsort(-(asked @ docs.T), axis=1, kind="stable")[:, :10]


def terms(args, texts):
    stdin = "".join(json.dumps({"id": str(i), "text": t}) + "\n" for i, t in enumerate(texts))
    out = subprocess.run([args.terms], input=stdin.encode(), capture_output=True, check=True).stdout
    return [json.loads(line)["terms"] for line in out.splitlines()]


def bm25(args, texts, queries):
    import bm25s

    vocabulary = {}
    numbered = [[vocabulary.setdefault(t, len(vocabulary)) for t in row] for row in terms(args, texts)]
    index = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    index.index((numbered, vocabulary), show_progress=False)
    order = []
    for row in terms(args, [q["text"] for q in queries]):
        known = [vocabulary[t] for t in row if t in vocabulary]
        scores = index.get_scores_from_ids(known) if known else np.zeros(len(texts))
        order.append(np.argsort(-scores, kind="stable")[:10])
    return order


def pythia(args, home, folder, mode, fusion="convex"):
    done = subprocess.run([args.pythia, "eval", "run", folder, "--mode", mode, "--fusion", fusion, "--json", "--progress", "none"],
                          capture_output=True, env={**os.environ, "PYTHIA_HOME": home})
    if done.returncode:
        sys.exit(done.stderr.decode())
    return json.loads(done.stdout)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--pythia", default="build/pythia")
    args.add_argument("--gguf", default=".setup/models/all-minilm-l6-v2.gguf")
    args.add_argument("--hf", required=True)
    args.add_argument("--terms", default="build/tests/lex_tokens")
    args.add_argument("folders", nargs="+")
    args = args.parse_args()
    home = tempfile.mkdtemp()
    os.makedirs(f"{home}/models")
    os.symlink(os.path.abspath(args.gguf), f"{home}/models/all-minilm-l6-v2.gguf")
    for folder in args.folders:
        ids, texts, queries, qrels = read_set(folder)
        row = {"set": Path(folder).name, "documents": len(ids), "queries": len(queries)}
        for mode in ("semantic", "lexical", "hybrid"):
            got = pythia(args, home, folder, mode)
            row[f"pythia_{mode}"] = round(got["ndcg_at_10"], 4)
            row[f"{mode}_p50_ms"] = round(got["p50_ms"], 2)
        row["pythia_rrf"] = round(pythia(args, home, folder, "hybrid", "rrf")["ndcg_at_10"], 4)
        row["sentence_transformers"] = round(mean_ndcg(ids, queries, qrels, dense(args, texts, queries)), 4)
        row["bm25s"] = round(mean_ndcg(ids, queries, qrels, bm25(args, texts, queries)), 4)
        print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
