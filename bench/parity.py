#!/usr/bin/env python3
"""Pythia's model engine against the references: embeddings, token ids, and our GGUF in llama.cpp.

Usage: parity.py --pythia build/pythia --gguf all-minilm-l6-v2.gguf --hf MODEL_FOLDER [--lines 10000]
Prints a line of JSON a comparison. Exit 1 when a floor is missed: cosine 0.9999, any differing id.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import unicodedata
from pathlib import Path

import numpy as np

ODD = [
    "", " ", "\n\t", "a", "[CLS] [SEP] [MASK] [UNK] [PAD]", "##ing", "x" * 300, "ÀÉÎõü ñ ß ſ İ ı Σς", "日本語のテキスト 中文 한국어",
    "a\u0000b\u0001c\u007f", "\ufffd\ufeff\u200b\u200d\u2028", "e\u0301 \u1e9b\u0323 ﬁ", "👩‍👩‍👧‍👦 emoji", "𝕳𝖊𝖑𝖑𝖔", "\ud7ff\ue000",
    "word " * 600, "!?.,;:-_/\\|@#$%^&*()[]{}<>~`'\"", "١٢٣ ४५६", "ᄀᄁᄂ ก็ ำ", "Ǆ ǅ ǆ ŉ ﬀ",
]


def tree_lines(count, seed=7):
    """Lines of Python's standard library, shuffled."""
    lines = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py"))[:600]:
        lines += path.read_text(errors="replace").splitlines()
    random.Random(seed).shuffle(lines)
    return [line for line in lines if line.strip()][:count]


def hostile_lines(count, seed=11):
    """Random code points of every assigned block, random UTF-8 damage, marks on everything."""
    rng = random.Random(seed)
    assigned = [c for c in range(0x30000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
    out = []
    for i in range(count):
        kind = i % 4
        if kind == 0:
            text = "".join(chr(rng.choice(assigned)) for _ in range(rng.randint(1, 40)))
        elif kind == 1:
            text = "".join(chr(rng.randint(0, 0x24F)) for _ in range(rng.randint(1, 60)))
        elif kind == 2:
            text = bytes(rng.randrange(256) for _ in range(rng.randint(1, 40))).decode("utf-8", "replace")
        else:
            text = "".join(rng.choice("abcXYZ ") + chr(rng.randint(0x300, 0x36F)) for _ in range(rng.randint(1, 20)))
        out.append(text.replace("\ud800", ""))
    return out


def pythia_jsonl(binary, command, texts, home):
    stdin = "".join(json.dumps({"id": str(i), "text": t}) + "\n" for i, t in enumerate(texts))
    done = subprocess.run([binary, command, "-"], input=stdin.encode(), capture_output=True,
                          env={**os.environ, "PYTHIA_HOME": home})
    if done.returncode:
        sys.exit(done.stderr.decode())
    return [json.loads(line) for line in done.stdout.splitlines()]


def cosines(a, b):
    return (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--pythia", default="build/pythia")
    args.add_argument("--gguf", default=".setup/models/all-minilm-l6-v2.gguf")
    args.add_argument("--hf", required=True, help="the Hugging Face folder that the GGUF was imported from")
    args.add_argument("--lines", type=int, default=10000)
    args = args.parse_args()
    from sentence_transformers import SentenceTransformer

    failed = False
    reference = SentenceTransformer(args.hf, device="cpu")
    reference.max_seq_length = 256
    lines = tree_lines(args.lines)
    chunks = ["\n".join(lines[i * 12:(i + 1) * 12]) for i in range(200 - len(ODD))]
    texts = ODD + chunks
    with tempfile.TemporaryDirectory() as home:
        os.makedirs(f"{home}/models")
        os.symlink(os.path.abspath(args.gguf), f"{home}/models/all-minilm-l6-v2.gguf")
        ours = np.array([r["embedding"] for r in pythia_jsonl(args.pythia, "embed", texts, home)])
        theirs = reference.encode(texts, normalize_embeddings=True, batch_size=1)
        cos = cosines(ours, theirs)
        print(json.dumps({"what": "embeddings against sentence-transformers", "texts": len(texts),
                          "cosine_min": float(cos.min()), "cosine_mean": float(cos.mean())}))
        failed |= cos.min() < 0.9999

        tokenizer = reference.tokenizer
        probe = lines[: args.lines // 2] + hostile_lines(args.lines - args.lines // 2) + ODD
        ids = [r["ids"] for r in pythia_jsonl(args.pythia, "tokenize", probe, home)]
        fast = tokenizer.backend_tokenizer
        fast.no_truncation()
        fast.no_padding()
        different = [t for t, i in zip(probe, ids) if fast.encode(t).ids != i]
        print(json.dumps({"what": "token ids against Hugging Face", "lines": len(probe), "different": len(different),
                          "first": different[:3]}))
        failed |= bool(different)

        # llama.cpp reads our file; where its own tokenizer differs from the reference, vectors must differ too: such
        # texts are counted and named, and left out of the cosine.
        from llama_cpp import Llama
        llama = Llama(args.gguf, embedding=True, verbose=False, n_ctx=512, n_batch=512)
        ours_ids = [r["ids"] for r in pythia_jsonl(args.pythia, "tokenize", texts, home)]
        same, other = [], []
        for i, text in enumerate(texts):
            if len(ours_ids[i]) <= 256:
                (same if llama.tokenize(text.encode()) == ours_ids[i] else other).append(i)
        peer = np.array([llama.embed(texts[i], normalize=True) for i in same])
        cos = cosines(ours[same], peer)
        print(json.dumps({"what": "our GGUF in llama.cpp", "texts": len(same), "cosine_min": float(cos.min()),
                          "cosine_mean": float(cos.mean()), "other_ids_in_llama_cpp": [texts[i][:20] for i in other]}))
        failed |= cos.min() < 0.9999
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
