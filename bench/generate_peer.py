#!/usr/bin/env python3
"""Pythia's generation beside llama.cpp's: the same model, the same prompts, greedy, in one run.

Usage: generate_peer.py --pythia build/pythia --gguf MODEL.gguf [--threads 1,2] [--tokens 64] [--precision fast]
                        [--rounds 3] [--prompts 20] [--exact]

Needs llama_cpp (llama-cpp-python). Prints a line of JSON for each number of threads: both engines' prompt and generation
tokens a second (the best of the rounds, which take turns), and how many of the prompts got the same tokens. Where tokens
differ, llama.cpp's scores of both candidates at the first difference are printed, and how far its scores there lie from its
own when it reads the same tokens one by one: with quantised weights activations are rounded to int8, and the order of sums
decides which way, so that llama.cpp does not agree with itself to better than that. llama_same_as_itself: for how many
prompts llama.cpp writes the same when it has read the prompt a token at a time.

--exact compares the mathematics instead: a copy of the model with all weights as floats (needs gguf), both in f32, keys and
values too; exit 1 when candidates are more than 0.01 apart.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import llama_cpp
import numpy as np

PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a small village by the sea,",
    "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n",
    "#include <stdio.h>\n\nint main(void) {\n",
    "Q: What is the boiling point of water at sea level?\nA: 100 degrees Celsius.\nQ: Who wrote Hamlet?\nA: Shakespeare.\n"
    "Q: What is the largest planet?\nA:",
    "English: Good morning.\nFrench: Bonjour.\nEnglish: Thank you very much.\nFrench:",
    "Der schnellste Weg von Berlin nach München ist",
    "La fotosíntesis es el proceso por el cual",
    "日本の首都は",
    "Столица России — это",
    "العاصمة المصرية هي",
    "SELECT name, count(*) FROM users",
    "Review: I loved this film, it was wonderful.\nSentiment: positive\nReview: The plot made no sense at all.\nSentiment: "
    "negative\nReview: A masterpiece of its kind.\nSentiment:",
    "A list of the months of the year: January, February,",
    "{\"name\": \"Alice\", \"age\": 30, \"city\":",
    "In 1969, the first humans landed on the Moon. The mission was called",
    "Dear Sir or Madam,\n\nI am writing to",
    "The derivative of x^2 is",
    "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n",
    "Photosynthesis is the process by which green plants and some other organisms use sunlight to synthesize foods from "
    "carbon dioxide and water. It generally involves the green pigment chlorophyll and generates oxygen as a byproduct. "
    "In other words,",
]
LONG = ("The library keeps its index files beside the store. Each file has a header, a table of blocks, and a checksum for "
        "each block; a reader maps the file and checks what it touches. ") * 12


@llama_cpp.llama_log_callback
def QUIET(level, text, data):
    """llama.cpp's log goes nowhere."""


class Llama:
    """llama.cpp through its C interface: no sampler, no cache of prompts, no thread but those asked for."""

    def __init__(self, path, threads, context=2048, exact=False):
        """exact: keys and values in f32, not f16."""
        llama_cpp.llama_log_set(QUIET, None)
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), params)
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(self.vocab)
        options = llama_cpp.llama_context_default_params()
        options.n_ctx = context
        options.n_batch = options.n_ubatch = 512
        options.n_threads = options.n_threads_batch = threads
        if exact:
            options.type_k = options.type_v = llama_cpp.GGML_TYPE_F32
            options.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.context = llama_cpp.llama_init_from_model(self.model, options)

    def tokenize(self, text):
        data = text.encode()
        ids = (llama_cpp.llama_token * (len(data) + 8))()
        n = llama_cpp.llama_tokenize(self.vocab, data, len(data), ids, len(ids), True, True)
        return list(ids[:n])

    def decode(self, ids):
        for at in range(0, len(ids), 512):
            part = ids[at:at + 512]
            array = (llama_cpp.llama_token * len(part))(*part)
            if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(array, len(part))):
                sys.exit("llama_decode failed")

    def scores(self):
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(self.context, -1), shape=(self.n_vocab,))

    def clear(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def generate(self, text, tokens, step=512):
        """step: tokens of the prompt read at a time."""
        self.clear()
        ids, out = self.tokenize(text), []
        start = time.perf_counter()
        for at in range(0, len(ids), step):
            self.decode(ids[at:at + step])
        middle = time.perf_counter()
        while True:
            out.append(int(np.argmax(self.scores())))
            if len(out) == tokens:
                break
            self.decode([out[-1]])
        return len(ids), out, middle - start, time.perf_counter() - middle

    def scores_behind(self, text, ids):
        self.clear()
        self.decode(self.tokenize(text) + ids)
        return self.scores().copy()

    def scores_step_by_step(self, text, ids):
        self.clear()
        for part in [self.tokenize(text)] + [[i] for i in ids]:
            self.decode(part)
        return self.scores().copy()


def run_llama(llama, prompts, tokens):
    results = [llama.generate(p, tokens) for p in prompts]
    return {"ids": [r[1] for r in results], "prompt_tokens": [r[0] for r in results],
            "prompt": sum(r[0] for r in results) / sum(r[2] for r in results),
            "generate": sum(len(r[1]) for r in results) / sum(r[3] for r in results)}


def run_pythia(args, prompts, tokens, threads):
    with tempfile.TemporaryDirectory() as home:
        path = os.path.join(home, "prompts.jsonl")
        with open(path, "w") as f:
            f.writelines(json.dumps({"text": p}) + "\n" for p in prompts)
        done = subprocess.run([args.pythia, "bench", "generate", "--each", "--input", path, "--model", args.gguf, "--threads",
                               str(threads), "--precision", args.precision, "--tokens", str(tokens)],
                              capture_output=True, env={**os.environ, "PYTHIA_HOME": home})
    if done.returncode:
        sys.exit(done.stderr.decode())
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {"ids": [l["ids"] for l in lines[:-1]], "gaps": [l["gaps"] for l in lines[:-1]],
            "prompt_tokens": [l["prompt_tokens"] for l in lines[:-1]], "prompt": lines[-1]["prompt_tokens_per_s"],
            "generate": lines[-1]["tokens_per_s"], "rss_mb": lines[-1]["rss_mb"]}


def dequantise(source, path):
    """The model with every tensor in F32."""
    import gguf
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(path, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type", "general.quantization_version"):
            continue
        kind = field.types[0]
        writer.add_key_value(key, field.contents(), kind, field.types[1] if kind == gguf.GGUFValueType.ARRAY else None)
    for t in reader.tensors:
        values = gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32)
        writer.add_tensor(t.name, values.reshape([int(x) for x in t.shape][::-1]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def compare(llama, prompts, ours, theirs):
    same, worst = 0, 0.0
    for i, prompt in enumerate(prompts):
        if ours["prompt_tokens"][i] != theirs["prompt_tokens"][i]:
            sys.exit(f"prompt {i}: {ours['prompt_tokens'][i]} tokens, llama.cpp has {theirs['prompt_tokens'][i]}")
        a, b = ours["ids"][i], theirs["ids"][i]
        if a == b:
            same += 1
            continue
        at = next(k for k in range(len(b)) if a[k] != b[k])
        scores, steps = llama.scores_behind(prompt, b[:at]), llama.scores_step_by_step(prompt, b[:at])
        gap = float(scores[b[at]] - scores[a[at]])
        worst = max(worst, gap)
        print(json.dumps({"prompt": prompt[:40], "differs_at": at, "ours": a[at], "llama": b[at],
                          "llama_score_of_ours": round(float(scores[a[at]]), 4),
                          "llama_score_of_its_own": round(float(scores[b[at]]), 4), "gap": round(gap, 4),
                          "our_gap": round(ours["gaps"][i][at], 4),
                          "llama_differs_from_itself": round(float(np.abs(scores - steps).max()), 4)}), flush=True)
    return same, worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pythia", required=True)
    parser.add_argument("--gguf", required=True)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--precision", default="fast")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=len(PROMPTS))
    parser.add_argument("--exact", action="store_true")
    args = parser.parse_args()
    folder = tempfile.TemporaryDirectory()
    if args.exact:
        source, args.gguf, args.precision = args.gguf, os.path.join(folder.name, "floats.gguf"), "f32"
        dequantise(source, args.gguf)
    worst = 0.0
    for threads in map(int, args.threads.split(",")):
        llama = Llama(args.gguf, threads, exact=args.exact)
        prompts = PROMPTS[:args.prompts]
        ours, theirs = run_pythia(args, prompts, args.tokens, threads), run_llama(llama, prompts, args.tokens)
        same, gap = compare(llama, prompts, ours, theirs)
        itself = sum(llama.generate(p, args.tokens, step=1)[1] == ids for p, ids in zip(prompts, theirs["ids"]))
        worst = max(worst, gap)
        best = {"pythia": [0.0, 0.0], "llama": [0.0, 0.0]}
        for _ in range(args.rounds):
            # reading is measured on one long prompt, writing on a short one
            for name, run in (("pythia", lambda p, n: run_pythia(args, p, n, threads)),
                              ("llama", lambda p, n: run_llama(llama, p, n))):
                best[name][0] = max(best[name][0], run([LONG], 1)["prompt"])
                best[name][1] = max(best[name][1], run([PROMPTS[1]], args.tokens)["generate"])
        print(json.dumps({"threads": threads, "precision": args.precision, "prompts": len(prompts), "same": same,
                          "llama_same_as_itself": itself, "worst_gap": round(worst, 4), "rss_mb": round(ours["rss_mb"]),
                          "prompt_tokens_per_s": {k: round(v[0], 1) for k, v in best.items()},
                          "tokens_per_s": {k: round(v[1], 1) for k, v in best.items()}}), flush=True)
    folder.cleanup()
    sys.exit(args.exact and worst > 0.01)


if __name__ == "__main__":
    main()
