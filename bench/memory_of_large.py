#!/usr/bin/env python3
"""What memory a model of 7 billion weights takes: nomic-embed-code in Q4_K_M (Qwen2, 28 layers, 3584 wide, 4.4 GB).

    python3 bench/memory_of_large.py [--pythia build/pythia] [--dir /tmp] [--layers 3 4 6] [--precision exact fast]

Writes files of the same shapes with 3, 4 and 6 layers of random weights (fewer would be small enough to be packed), in the
types of Q4_K_M: values and ways down in half of the layers in Q6_K, the rest Q4_K; a vocabulary of 151,936 tokens. Embeds one
text of 512 tokens with each and samples the process: VmHWM is the peak of everything, RssAnon what only this process can
give back, RssFile pages of the mapped model. Memory is linear in the bytes of the layers: the line through the measured
points is followed to 28 layers. Needs gguf and numpy, and 1.5 GB of disk.
"""
import argparse
import os
import pathlib
import subprocess
import tempfile
import time

import gguf
import numpy as np

DIM, FF, HEADS, KV_HEADS, LAYERS, VOCAB = 3584, 18944, 28, 4, 28, 151936
Q4, Q6, F32 = gguf.GGMLQuantizationType.Q4_K, gguf.GGMLQuantizationType.Q6_K, gguf.GGMLQuantizationType.F32
BLOCK = {Q4: 144, Q6: 210}


def blocks(rng, rows, cols, kind):
    """Random blocks with scales that centre weights on 0 and keep them below 0.06."""
    data = rng.integers(0, 256, (rows * cols // 256, BLOCK[kind]), dtype=np.uint8)
    small = np.frombuffer(np.float16(2.0**-14).tobytes(), np.uint8)
    if kind == Q4:
        data[:, 0:2], data[:, 2:4] = small, np.frombuffer(np.float16(7.5 * 2.0**-14).tobytes(), np.uint8)
    else:
        data[:, 208:210] = small
    return data.reshape(rows, -1)


def more_bits(i, n):
    """Which layers Q4_K_M gives more bits."""
    return i < n // 8 or i >= 7 * n // 8 or (i - n // 8) % 3 == 2


def layer_tensors(i):
    kind = Q6 if i % 2 == 0 else Q4  # half of them, as of 28
    head = DIM // HEADS
    return [("attn_q", DIM, DIM, Q4), ("attn_k", KV_HEADS * head, DIM, Q4), ("attn_v", KV_HEADS * head, DIM, kind),
            ("attn_output", DIM, DIM, Q4), ("ffn_gate", FF, DIM, Q4), ("ffn_up", FF, DIM, Q4), ("ffn_down", DIM, FF, kind)]


def layer_bytes(kind):
    return sum(rows * cols // 256 * BLOCK[k] for _, rows, cols, k in layer_tensors(0 if kind == Q6 else 1))


def vocabulary():
    """Bytes as GPT-2 writes them, pairs and triples of them: as many as the model has, with their merges."""
    visible = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b <= 255]
    extra = [b for b in range(256) if b not in visible]
    table = {b: chr(b) for b in visible} | {b: chr(256 + n) for n, b in enumerate(extra)}
    singles = [table[b] for b in range(256)]
    tokens, merges = list(singles), []
    for parts in (singles, [a + b for a in singles for b in singles]):
        for left in parts:
            for right in singles:
                if len(tokens) == VOCAB - 1:
                    return tokens + ["<|endoftext|>"], merges
                tokens.append(left + right)
                merges.append(left + " " + right)
    raise AssertionError


def write(path, layers, tokens, merges):
    rng = np.random.default_rng(layers)
    w = gguf.GGUFWriter(path, "qwen2")
    w.add_name(f"same shapes as nomic-embed-code, {layers} layers")
    w.add_context_length(32768)
    w.add_embedding_length(DIM)
    w.add_feed_forward_length(FF)
    w.add_block_count(layers)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV_HEADS)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_rope_freq_base(1000000.0)
    w.add_pooling_type(gguf.PoolingType.LAST)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types([gguf.TokenType.NORMAL] * (VOCAB - 1) + [gguf.TokenType.CONTROL])
    w.add_token_merges(merges)
    w.add_eos_token_id(VOCAB - 1)
    w.add_tensor("token_embd.weight", blocks(rng, VOCAB, DIM, Q4), raw_dtype=Q4)
    w.add_tensor("output_norm.weight", np.ones(DIM, np.float32))
    for i in range(layers):
        for name in ("attn_norm", "ffn_norm"):
            w.add_tensor(f"blk.{i}.{name}.weight", np.ones(DIM, np.float32))
        for name, rows, cols, kind in layer_tensors(i):
            w.add_tensor(f"blk.{i}.{name}.weight", blocks(rng, rows, cols, kind), raw_dtype=kind)
            if name in ("attn_q", "attn_k", "attn_v"):
                w.add_tensor(f"blk.{i}.{name}.bias", np.zeros(rows, np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def measure(pythia, model, precision, home, threads):
    """Peaks in MiB of the status fields while it embeds; seconds."""
    text = "int main(void) { return open_the_file_and_read_it(argv[1]); } " * 60
    args = [pythia, "embed", "--model", str(model), "--config", "model.max_tokens=512", "--config",
            f"model.precision={precision}", "--config", f"model.threads={threads}", text]
    peaks, start = {"VmHWM": 0, "RssAnon": 0, "RssFile": 0}, time.monotonic()
    process = subprocess.Popen(args, stdout=subprocess.PIPE, env=os.environ | {"PYTHIA_HOME": home})
    with open(f"/proc/{process.pid}/status") as status:
        while process.poll() is None:
            status.seek(0)
            for line in status.read().splitlines():
                name, _, value = line.partition(":")
                if name in peaks:
                    peaks[name] = max(peaks[name], int(value.split()[0]) / 1024)
            time.sleep(0.02)
    out = process.stdout.read()
    assert process.returncode == 0 and out, f"pythia failed with {process.returncode}"
    return peaks, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pythia", default="build/pythia")
    parser.add_argument("--dir", default=None)
    parser.add_argument("--layers", type=int, nargs="+", default=[3, 4, 6])
    parser.add_argument("--precision", nargs="+", default=["exact", "fast"])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    tokens, merges = vocabulary()
    full = sum(layer_bytes(Q6 if more_bits(i, LAYERS) else Q4) for i in range(LAYERS)) / 2**20
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        home, points = os.path.join(folder, "home"), {}
        for layers in args.layers:
            path = pathlib.Path(folder) / f"large-{layers}.gguf"
            write(path, layers, tokens, merges)
            size = sum(layer_bytes(Q6 if i % 2 == 0 else Q4) for i in range(layers)) / 2**20
            for precision in args.precision:
                measure(args.pythia, path, precision, home, args.threads)  # the file's hash is taken once
                peaks, seconds = measure(args.pythia, path, precision, home, args.threads)
                points.setdefault(precision, []).append((size, peaks))
                print(f"{precision:6} {layers} layers of {size:5.0f} MiB: " +
                      "  ".join(f"{k} {v:5.0f} MiB" for k, v in peaks.items()) + f"  {seconds:.1f} s", flush=True)
            path.unlink()
    for precision, measured in points.items():
        sizes = np.array([size for size, _ in measured])
        line = []
        for name in measured[0][1]:
            slope, start = np.polyfit(sizes, [peaks[name] for _, peaks in measured], 1)
            line.append(f"{name} {start + slope * full:.0f} MiB ({slope:.3f} a MiB of layers)")
        print(f"{precision:6} {LAYERS} layers of {full:.0f} MiB: " + ", ".join(line))


if __name__ == "__main__":
    main()
