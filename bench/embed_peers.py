#!/usr/bin/env python3
"""Embedding speed of Pythia beside its peers: the same model, the same texts, the same machine, one run.

Usage: embed_peers.py --pythia build/pythia --gguf all-minilm-l6-v2.gguf --hf MODEL_FOLDER --texts TEXTS.jsonl
           [--n 300] [--threads 1 2] [--rounds 3] [--only NAME…] [--work FOLDER] [--json]

Each engine runs in a process of its own, one after the other, in `rounds` rounds of which its best counts: what else the
machine does then disturbs all of them alike. Each is driven as it is fastest: texts sorted by length, batches of 1 and of 8
tried, at two threads both "one job on two threads" and "two jobs of one thread", and the better one counted. Tokenizing is
part of the time, since no user gets a vector without it. Cosines are to sentence-transformers in f32.

Packages: numpy torch sentence-transformers tokenizers onnx onnxruntime openvino nncf llama-cpp-python (built with
CMAKE_ARGS=-DGGML_NATIVE=ON). An engine whose package is missing is named and left out.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

MAX_TOKENS = 256
QUERY = "how do I retry a request with exponential backoff"
CALIBRATION = 300  # texts for NNCF, from behind those that are measured


def read_texts(path):
    return [json.loads(line)["text"] for line in Path(path).read_text().splitlines() if line.strip()]


# ---- the peers: each is opened with (args, threads) and offers encode(texts) -> rows ----


def batches(texts, size):
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    return [order[i : i + size] for i in range(0, len(order), size)]


class Tokenizer:
    def __init__(self, args):
        from tokenizers import Tokenizer as Hub

        self.hub = Hub.from_file(str(Path(args.hf) / "tokenizer.json"))
        self.hub.enable_truncation(MAX_TOKENS)
        self.hub.enable_padding()

    def __call__(self, texts):
        import numpy as np

        rows = self.hub.encode_batch(texts) if len(texts) > 1 else [self.hub.encode(texts[0])]
        ids = np.array([r.ids for r in rows], dtype=np.int64)
        mask = np.array([r.attention_mask for r in rows], dtype=np.int64)
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def pooled(hidden, mask):
    import numpy as np

    wide = mask[:, :, None].astype(hidden.dtype)
    mean = (hidden * wide).sum(1) / wide.sum(1)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


class Batched:
    """Networks that take padded batches: `jobs` of them at a time."""

    jobs, size = 1, 8

    def encode(self, texts):
        import numpy as np

        out = np.zeros((len(texts), 384), np.float32)

        def one(work):
            feed = self.tokenize([texts[i] for i in work])
            out[work] = pooled(self.hidden(feed), feed["attention_mask"])

        parts = batches(texts, self.size)[::-1]
        if self.jobs == 1:
            for work in parts:
                one(work)
        else:
            with ThreadPoolExecutor(self.jobs) as pool:
                list(pool.map(one, parts))
        return out


class SentenceTransformers:
    def __init__(self, args, threads):
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)
        self.model = SentenceTransformer(args.hf, device="cpu")
        self.model.max_seq_length = MAX_TOKENS
        self.size = 8

    def encode(self, texts):
        return self.model.encode(texts, batch_size=self.size, normalize_embeddings=True, show_progress_bar=False)


class OnnxRuntime(Batched):
    def __init__(self, args, threads, file):
        import onnxruntime

        self.tokenize = Tokenizer(args)
        opts = onnxruntime.SessionOptions()
        opts.intra_op_num_threads = threads
        opts.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(Path(args.work) / file), opts, providers=["CPUExecutionProvider"]
        )
        self.names = {i.name for i in self.session.get_inputs()}

    def hidden(self, feed):
        return self.session.run(None, {k: v for k, v in feed.items() if k in self.names})[0]


class OpenVino(Batched):
    def __init__(self, args, threads, file, precision):
        import openvino

        self.tokenize = Tokenizer(args)
        core = openvino.Core()
        self.compiled = core.compile_model(
            str(Path(args.work) / file),
            "CPU",
            {
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": precision,
                "NUM_STREAMS": args.jobs,
                "PERFORMANCE_HINT": "LATENCY" if args.jobs == 1 else "THROUGHPUT",
            },
        )

    def hidden(self, feed):
        return self.compiled.create_infer_request().infer(feed)[0]


class LlamaCpp:
    size = 1

    def __init__(self, args, threads, kind):
        import llama_cpp
        from tokenizers import Tokenizer as Hub

        self.hub = Hub.from_file(str(Path(args.hf) / "tokenizer.json"))
        self.hub.no_padding()
        self.hub.no_truncation()
        path = args.gguf if kind == "F32" else str(Path(args.work) / f"minilm-{kind}.gguf")
        self.model = llama_cpp.Llama(
            path, embedding=True, n_ctx=MAX_TOKENS, n_batch=MAX_TOKENS, n_ubatch=MAX_TOKENS, n_threads=threads, n_threads_batch=threads,
            verbose=False,
        )

    def prepare(self, texts):
        """It refuses or cuts off the end mark of what is too long: texts are cut before, outside the time measured."""
        rows = self.hub.encode_batch(texts)
        return [t[: r.offsets[MAX_TOKENS - 2][1]] if len(r.ids) > MAX_TOKENS else t for t, r in zip(texts, rows)]

    def encode(self, texts):
        import numpy as np

        out = np.zeros((len(texts), 384), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        rows = self.model.embed([texts[i] for i in order], normalize=True)
        out[order] = np.array(rows, np.float32)
        return out


PEERS = {
    "sentence-transformers f32": lambda a, t: SentenceTransformers(a, t),
    "ONNX Runtime f32": lambda a, t: OnnxRuntime(a, t, "fused.onnx"),
    "ONNX Runtime int8": lambda a, t: OnnxRuntime(a, t, "int8.onnx"),
    "OpenVINO f32": lambda a, t: OpenVino(a, t, "plain.onnx", "f32"),
    "OpenVINO bf16": lambda a, t: OpenVino(a, t, "plain.onnx", "bf16"),
    "OpenVINO int8": lambda a, t: OpenVino(a, t, "nncf.xml", "bf16"),
    "llama.cpp Q8_0": lambda a, t: LlamaCpp(a, t, "Q8_0"),
    "llama.cpp F16": lambda a, t: LlamaCpp(a, t, "F16"),
    "llama.cpp F32": lambda a, t: LlamaCpp(a, t, "F32"),
}
OURS = {"Pythia exact": "exact", "Pythia fast": "fast", "Pythia f32": "f32"}
BATCHED = ("ONNX", "OpenVINO", "sentence")


def peak_rss():
    """MB. Not ru_maxrss, which counts what this process was before it was this program."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure(args, name, threads):
    """In a process of its own: one line of JSON, the vectors into args.vectors."""
    import numpy as np

    texts = read_texts(args.texts)[: args.n]
    start = time.perf_counter()
    peer = PEERS[name](args, threads // args.jobs)
    peer.jobs = args.jobs
    peer.size = args.batch
    peer.encode([QUERY])  # loaded and warm
    first = time.perf_counter() - start
    if hasattr(peer, "prepare"):
        texts = peer.prepare(texts)
    best = 1e9
    for _ in range(args.runs):
        start = time.perf_counter()
        rows = peer.encode(texts)
        best = min(best, time.perf_counter() - start)
    laps = []
    for _ in range(100):
        start = time.perf_counter()
        peer.encode([QUERY])
        laps.append(time.perf_counter() - start)
    np.save(args.vectors, np.asarray(rows, np.float32))
    print(
        json.dumps(
            {
                "texts_per_s": len(texts) / best,
                "p50_ms": sorted(laps)[50] * 1e3,
                "first_vector_ms": first * 1e3,
                "rss_mb": peak_rss(),
            }
        )
    )


# ---- the models in the peers' formats ----


def make_onnx(args, work):
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer
    from transformers import AutoModel

    model = AutoModel.from_pretrained(args.hf, attn_implementation="eager").eval()

    class Hidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.model(input_ids, attention_mask, token_type_ids).last_hidden_state

    names = ["input_ids", "attention_mask", "token_type_ids"]
    ids = torch.ones(2, 16, dtype=torch.int64)
    torch.onnx.export(
        Hidden(), (ids, ids, ids * 0), str(work / "plain.onnx"), input_names=names, output_names=["hidden"],
        dynamic_axes={n: {0: "batch", 1: "tokens"} for n in [*names, "hidden"]}, opset_version=17, dynamo=False,
    )
    fused = optimizer.optimize_model(str(work / "plain.onnx"), model_type="bert", num_heads=12, hidden_size=384)
    fused.save_model_to_file(str(work / "fused.onnx"))
    quantize_dynamic(
        str(work / "fused.onnx"), str(work / "int8.onnx"), weight_type=QuantType.QInt8,
        per_channel=True,  # without it the cosine falls to 0.94
        extra_options={"DefaultTensorType": 1},  # FLOAT: shape inference does not know the fused operators
    )


def make_openvino(args, work):
    import nncf
    import openvino

    tokenize = Tokenizer(args)
    model = openvino.Core().read_model(str(work / "plain.onnx"))
    texts = read_texts(args.texts)[args.n : args.n + CALIBRATION]
    data = nncf.Dataset([tokenize([t]) for t in texts])
    model = nncf.quantize(model, data, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(texts))
    openvino.save_model(model, str(work / "nncf.xml"), compress_to_fp16=False)


def make_gguf(args, work):
    import llama_cpp

    for kind, ftype in (("Q8_0", llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0), ("F16", llama_cpp.LLAMA_FTYPE_MOSTLY_F16)):
        params = llama_cpp.llama_model_quantize_default_params()
        params.ftype = ftype
        if llama_cpp.llama_model_quantize(args.gguf.encode(), str(work / f"minilm-{kind}.gguf").encode(), params):
            raise RuntimeError("llama_model_quantize")


def make_models(args):
    """What could not be made is told; the engines that want it are left out when they fail."""
    work = Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    for last, make in (("int8.onnx", make_onnx), ("nncf.xml", make_openvino), ("minilm-F16.gguf", make_gguf)):
        if not (work / last).exists():
            try:
                make(args, work)
            except Exception as e:  # a peer that cannot be had is no reason to measure nothing
                print(f"{make.__name__}: {type(e).__name__}: {e}", file=sys.stderr)


def make_models_apart(args):
    """In a process of its own: what torch takes of memory would count for every process started from this one."""
    subprocess.run([sys.executable, __file__, *sys.argv[1:], "--worker", "models"], stdout=subprocess.DEVNULL)


# ---- one run ----


def run_peer(args, name, threads, jobs, batch):
    command = [
        sys.executable, __file__, "--worker", name, "--threads", str(threads), "--jobs", str(jobs), "--batch", str(batch),
        "--gguf", args.gguf, "--hf", args.hf, "--texts", args.texts, "--n", str(args.n), "--work", args.work,
        "--vectors", vectors_of(args, name), "--runs", str(args.runs),
    ]
    env = {**os.environ, "OMP_NUM_THREADS": str(threads // jobs), "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, capture_output=True, env=env)
    if done.returncode:
        raise RuntimeError(done.stderr.decode().strip().splitlines()[-1][:300])
    return json.loads(done.stdout.splitlines()[-1])


def vectors_of(args, name):
    return str(Path(args.work) / (name.replace(" ", "-") + ".npy"))


def run_ours(args, name, threads, texts_file):
    import numpy as np

    env = {**os.environ, "PYTHIA_HOME": str(Path(args.work) / "home"), "PYTHIA_MODEL_PRECISION": OURS[name]}
    common = ["--model", args.gguf, "--config", f"model.max_tokens={MAX_TOKENS}"]
    done = subprocess.run(
        [args.pythia, "bench", "embed", "--input", texts_file, "--threads", str(threads), *common],
        capture_output=True, env=env, check=True,
    )
    if not Path(vectors_of(args, name)).exists():
        rows = subprocess.run(
            [args.pythia, "embed", "-", *common], input=Path(texts_file).read_bytes(), capture_output=True, env=env,
            check=True,
        )
        vectors = [json.loads(line)["embedding"] for line in rows.stdout.splitlines()]
        np.save(vectors_of(args, name), np.array(vectors, np.float32))
    return json.loads(done.stdout)


def settings(name, threads):
    """(jobs, batch) worth trying."""
    if not name.startswith(BATCHED):
        return [(1, 1)]
    return [(jobs, batch) for jobs in ([1] if threads == 1 or name.startswith("sentence") else [1, threads]) for batch in (1, 8)]


def better(a, b):
    if a is None:
        return dict(b)
    return {
        "texts_per_s": max(a["texts_per_s"], b["texts_per_s"]),
        **{k: min(a[k], b[k]) for k in ("p50_ms", "first_vector_ms", "rss_mb")},
    }


def run_all(args):
    names = [n for n in [*PEERS, *OURS] if not args.only or n in args.only]
    texts_file = str(Path(args.work) / f"texts-{args.n}.jsonl")
    lines = Path(args.texts).read_text().splitlines()[: args.n]
    Path(texts_file).write_text("\n".join(lines) + "\n")
    for name in names:
        Path(vectors_of(args, name)).unlink(missing_ok=True)
    best, missing = {}, {}
    for round_ in range(args.rounds):
        for name in names:
            for threads in args.threads:
                if name in missing:
                    continue
                try:
                    if name in OURS:
                        found = [run_ours(args, name, threads, texts_file)]
                    else:
                        tries = settings(name, threads) if round_ == 0 else [best[name, threads]["how"]]
                        found = [{**run_peer(args, name, threads, *how), "how": how} for how in tries]
                except (RuntimeError, subprocess.CalledProcessError) as e:
                    missing[name] = str(e)
                    continue
                how = max(found, key=lambda f: f["texts_per_s"]).get("how")
                for f in found:
                    best[name, threads] = better(best.get((name, threads)), f)
                best[name, threads]["how"] = how
    return best, missing


def print_table(args, best, missing):
    import numpy as np

    truth = Path(vectors_of(args, "sentence-transformers f32"))
    reference = np.load(truth) if truth.exists() else None
    top = max(args.threads)
    counts = " / ".join(map(str, args.threads))
    print(f"| engine | texts/s, {counts} threads | p50 of a short query, ms | cosine to f32, min / mean | peak RSS | first vector |")
    print("|---|---|---|---|---|---|")
    for name in [*PEERS, *OURS]:
        if (name, top) not in best:
            continue
        cells = [best[name, t] for t in args.threads]
        cosine = "-"
        if reference is not None and Path(vectors_of(args, name)).exists():
            c = (np.load(vectors_of(args, name)) * reference).sum(1)
            cosine = f"{c.min():.5f} / {c.mean():.5f}"
        print(
            f"| {name} | {' / '.join('%.1f' % c['texts_per_s'] for c in cells)} "
            f"| {' / '.join('%.2f' % c['p50_ms'] for c in cells)} | {cosine} "
            f"| {cells[0]['rss_mb']:.0f} MB | {cells[0]['first_vector_ms']:.0f} ms |"
        )
    for name, why in missing.items():
        print(f"{name}: {why}", file=sys.stderr)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--pythia", default="build/pythia")
    args.add_argument("--gguf", default=".setup/models/all-minilm-l6-v2.gguf")
    args.add_argument("--hf", default=".setup/model-src")
    args.add_argument("--texts", required=True, help="bench/make_chunks.py makes some")
    args.add_argument("--n", type=int, default=300)
    args.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args.add_argument("--rounds", type=int, default=3)
    args.add_argument("--runs", type=int, default=1, help="timed passes of a peer in one process")
    args.add_argument("--only", nargs="*")
    args.add_argument("--work", default="/tmp/pythia-peers")
    args.add_argument("--worker", help=argparse.SUPPRESS)
    args.add_argument("--jobs", type=int, default=1, help=argparse.SUPPRESS)
    args.add_argument("--batch", type=int, default=8, help=argparse.SUPPRESS)
    args.add_argument("--vectors", help=argparse.SUPPRESS)
    args = args.parse_args()
    if args.worker == "models":
        return make_models(args)
    if args.worker:
        return measure(args, args.worker, args.threads[0])
    make_models_apart(args)
    print_table(args, *run_all(args))


if __name__ == "__main__":
    main()
