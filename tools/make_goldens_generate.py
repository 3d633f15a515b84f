#!/usr/bin/env python3
"""Makes the golden decoder in tests/golden/generate: a tiny Gemma 3 with random weights, and what llama.cpp writes with it
(keys and values in f32).

    python3 tools/make_goldens_generate.py [tests/golden/generate]

Needs gguf, numpy and llama_cpp (not needed to build or test). Seeds are fixed: the same versions give the same files.

    gemma3.gguf  weights in F32, a vocabulary of bytes, letters and a few words, a chat template of our own
    gemma3.txt   prompt as JSON <tab> ids of the prompt <tab> the 40 ids that follow, best first each time
"""
import json
import pathlib
import sys

import gguf
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
from generate_peer import Llama  # noqa: E402

DIM, FF, LAYERS, HEADS, KV_HEADS, HEAD_DIM, WINDOW, CONTEXT = 16, 16, 7, 2, 1, 8, 12, 128
WORDS = ["▁the", "▁of", "▁and", "▁to", "▁in", "th", "he", "in", "er", "an", "▁t", "▁a", "▁o", "nd", "▁an"]
MARKS = ["<pad>", "<eos>", "<bos>", "<unk>", "<turn>", "<end_of_turn>"]
TEMPLATE = ("{{ bos_token }}{% for message in messages %}{{ '<turn>' + message.role + '\\n' + message.content | trim + "
            "'<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<turn>model\\n' }}{% endif %}")
PROMPTS = ["", "the", "in the end", "a of the and to in", "ünïcödé 日本", "a\nb\tc", "the the the the the the the the the",
           "<turn>user\nhe<end_of_turn>\n", "he and", "an end", "to", "of the", "then", "x = 1;", "and the in"]
CASES, LEAST_GAP = 8, 0.004  # prompts whose answers hang on less are left out: float sums differ by some 1e-5
TOKENS = 40


def vocabulary():
    letters = [chr(c) for c in range(0x21, 0x7F)] + ["▁", "ü", "é", "日"]
    tokens = MARKS + [f"<0x{b:02X}>" for b in range(256)] + WORDS + letters
    kinds = [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.UNKNOWN] + [gguf.TokenType.CONTROL] * 2
    kinds += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL] * (len(WORDS) + len(letters))
    scores = [0.0] * (len(MARKS) + 256) + [-1.0 - i for i in range(len(WORDS))] + [-100.0] * len(letters)
    return tokens, kinds, scores


def write_model(path):
    tokens, kinds, scores = vocabulary()
    rng = np.random.default_rng(31)
    w = gguf.GGUFWriter(path, "gemma3")
    w.add_name("tiny generator")
    w.add_context_length(CONTEXT)
    w.add_embedding_length(DIM)
    w.add_feed_forward_length(FF)
    w.add_block_count(LAYERS)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV_HEADS)
    w.add_key_length(HEAD_DIM)
    w.add_value_length(HEAD_DIM)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_rope_freq_base(1000000.0)
    w.add_sliding_window(WINDOW)
    w.add_tokenizer_model("llama")
    w.add_tokenizer_pre("default")
    w.add_token_list(tokens)
    w.add_token_types(kinds)
    w.add_token_scores(scores)
    w.add_pad_token_id(0)
    w.add_eos_token_id(1)
    w.add_bos_token_id(2)
    w.add_unk_token_id(3)
    w.add_add_bos_token(True)
    w.add_add_eos_token(False)
    w.add_add_space_prefix(False)
    w.add_chat_template(TEMPLATE)

    def matrix(name, rows, cols, scale):
        w.add_tensor(name, (rng.standard_normal((rows, cols)) * scale).astype(np.float32))

    def norm(name, n):
        w.add_tensor(name, (1 + 0.3 * rng.standard_normal(n)).astype(np.float32))

    matrix("token_embd.weight", len(tokens), DIM, 0.5)
    matrix("output.weight", len(tokens), DIM, 0.5)
    norm("output_norm.weight", DIM)
    for i in range(LAYERS):
        norm(f"blk.{i}.attn_norm.weight", DIM)
        matrix(f"blk.{i}.attn_q.weight", HEADS * HEAD_DIM, DIM, 0.3)
        matrix(f"blk.{i}.attn_k.weight", KV_HEADS * HEAD_DIM, DIM, 0.3)
        matrix(f"blk.{i}.attn_v.weight", KV_HEADS * HEAD_DIM, DIM, 0.3)
        matrix(f"blk.{i}.attn_output.weight", DIM, HEADS * HEAD_DIM, 0.3)
        norm(f"blk.{i}.attn_q_norm.weight", HEAD_DIM)
        norm(f"blk.{i}.attn_k_norm.weight", HEAD_DIM)
        norm(f"blk.{i}.post_attention_norm.weight", DIM)
        norm(f"blk.{i}.ffn_norm.weight", DIM)
        matrix(f"blk.{i}.ffn_gate.weight", FF, DIM, 0.3)
        matrix(f"blk.{i}.ffn_up.weight", FF, DIM, 0.3)
        matrix(f"blk.{i}.ffn_down.weight", DIM, FF, 0.3)
        norm(f"blk.{i}.post_ffw_norm.weight", DIM)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden/generate")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "gemma3.gguf"
    write_model(path)
    llama = Llama(str(path), 1, context=CONTEXT, exact=True)
    lines = []
    for prompt in PROMPTS:
        ids = llama.tokenize(prompt)
        out = llama.generate(prompt, TOKENS)[1]
        gaps = []
        for k in range(TOKENS):
            top = np.sort(llama.scores_behind(prompt, out[:k]))[-2:]
            gaps.append(float(top[1] - top[0]))
        print(repr(prompt), len(ids), "smallest gap", round(min(gaps), 4), "kinds", len(set(out)))
        if min(gaps) < LEAST_GAP or len(lines) == CASES:
            continue
        lines.append("\t".join([json.dumps(prompt), ",".join(map(str, ids)), ",".join(map(str, out))]) + "\n")
    folder.joinpath("gemma3.txt").write_text("".join(lines))


main()
