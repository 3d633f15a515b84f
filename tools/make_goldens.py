#!/usr/bin/env python3
"""Makes the golden files of the network and the number formats in tests/golden from the reference implementations.

    python3 tools/make_goldens.py [tests/golden]

Needs numpy, torch, transformers and gguf (the reference implementations; not needed to build or test). Seeds are fixed:
the same versions give the same files.

    blocks.txt           FORMAT <blocks in hex> <their floats in hex>, floats by gguf.quants.dequantize
    tiny_bert.gguf       random weights, F32, mean pooling, sizes that no vector width divides
    tiny_bert_mixed.gguf random weights in many formats, CLS pooling
    tiny_bert*.txt       ids <tab> vector, by transformers.BertModel on the dequantised weights, pooled and normalised
"""
import pathlib
import sys

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from transformers import BertConfig, BertModel

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = list("abcdefghijklmnopqrstuvwxyz0123456789.,()_=") + ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"] + [
    "the", "file", "read", "##ing", "##er", "open", "retry", "back", "##off", "error", "vector", "search"]
VOCABULARY = SPECIAL + WORDS


def hex_floats(values):
    return np.ascontiguousarray(values, dtype="<f4").tobytes().hex()


def make_blocks(path):
    rng = np.random.default_rng(7)
    formats = [Type.F32, Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.Q4_K, Type.Q5_K,
               Type.Q6_K]
    # Where the half-precision scales stand in a block: random bytes there could be NaN.
    halves = {Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q4_K: [0, 2],
              Type.Q5_K: [0, 2], Type.Q6_K: [208]}
    lines = []
    for kind in formats:
        items, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = rng.integers(0, 256, (2 if items > 1 else 16, size), dtype=np.uint8)
        if items == 1:
            values = np.concatenate([rng.normal(0, 1, 12), [0.0, -0.0, 6e-6, 65504.0]]).astype(np.float32)
            blocks = {Type.F32: values.view(np.uint8), Type.F16: values.astype(np.float16).view(np.uint8),
                      Type.BF16: (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)}[kind].reshape(16, size)
        for at in halves.get(kind, []):
            for block in blocks:
                block[at:at + 2] = np.array([rng.normal(0, 0.1)], dtype=np.float16).view(np.uint8)
        floats = gguf.quants.dequantize(blocks.reshape(-1), kind)
        lines.append(f"{kind.name} {blocks.tobytes().hex()} {hex_floats(floats)}\n")
    path.write_text("".join(lines))


def tensor_names(layers):
    names = {"embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
             "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm"}
    for i in range(layers):
        layer = {"attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
                 "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
                 "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}
        names |= {f"encoder.layer.{i}.{k}": f"blk.{i}.{v}" for k, v in layer.items()}
    return names


def write_head(writer, config, pooling, limit):
    writer.add_name("tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_layer_norm_eps(config.layer_norm_eps)
    writer.add_causal_attention(False)
    writer.add_pooling_type(pooling)
    writer.add_uint32("pythia.max_tokens", limit)
    writer.add_tokenizer_model("bert")
    spelled = [w if w in SPECIAL else w[2:] if w.startswith("##") else "\u2581" + w for w in VOCABULARY]
    writer.add_token_list(spelled)
    writer.add_token_types([gguf.TokenType.CONTROL if w in SPECIAL else gguf.TokenType.NORMAL for w in VOCABULARY])
    writer.add_token_type_count(2)
    for key, word in (("unknown", "[UNK]"), ("seperator", "[SEP]"), ("padding", "[PAD]"), ("mask", "[MASK]"),
                      ("cls", "[CLS]"), ("bos", "[CLS]")):
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", SPECIAL.index(word))


def make_bert(path, config, pooling, limit, type_of):
    torch.manual_seed(11)
    model = BertModel(config, add_pooling_layer=False).eval()
    state, names = model.state_dict(), tensor_names(config.num_hidden_layers)
    writer = gguf.GGUFWriter(path, "bert")
    write_head(writer, config, pooling, limit)
    for key, tensor in state.items():
        base, _, suffix = key.rpartition(".")
        if base not in names:
            continue
        # Larger than the usual 0.02, so that attention, GELU and norms all matter to the result.
        scale = 0.3 if tensor.ndim == 2 else 0.2
        values = (torch.randn(tensor.shape) * scale + (1.0 if "LayerNorm.weight" in key else 0.0)).numpy()
        name = f"{names[base]}.{suffix}"
        kind = type_of(name) if tensor.ndim == 2 else Type.F32
        packed = gguf.quants.quantize(values, kind)
        writer.add_tensor(name, packed, raw_dtype=kind)
        state[key] = torch.tensor(np.array(gguf.quants.dequantize(packed, kind)).reshape(values.shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model.load_state_dict(state)
    write_vectors(path.with_suffix(".txt"), model.double(), pooling, limit)


def write_vectors(path, model, pooling, limit):
    rng = np.random.default_rng(13)
    lines = []
    for length in (1, 2, 3, 7, 13, 14, 15, limit):
        ids = [2] + rng.integers(5, len(VOCABULARY), max(length - 2, 0)).tolist() + [3] * (length > 1)
        with torch.no_grad():
            hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        vector = hidden.mean(0) if pooling == gguf.PoolingType.MEAN else hidden[0]
        vector = torch.nn.functional.normalize(vector, dim=0)
        lines.append(",".join(map(str, ids)) + "\t" + hex_floats(vector.numpy()) + "\n")
    path.write_text("".join(lines))


def mixed_type(name):
    kinds = [Type.Q8_0, Type.F16, Type.Q5_1, Type.BF16, Type.Q4_0, Type.Q5_0, Type.Q4_1]
    if "token_embd" in name:
        return Type.Q8_0
    return Type.F16 if "blk" not in name else kinds[sum(map(ord, name)) % len(kinds)]


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden")
    out.mkdir(parents=True, exist_ok=True)
    make_blocks(out / "blocks.txt")
    shape = dict(vocab_size=len(VOCABULARY), type_vocab_size=2, hidden_act="gelu", attn_implementation="eager")
    make_bert(out / "tiny_bert.gguf",
              BertConfig(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=56,
                         max_position_embeddings=40, layer_norm_eps=1e-12, **shape),
              gguf.PoolingType.MEAN, 33, lambda name: Type.F32)
    make_bert(out / "tiny_bert_mixed.gguf",
              BertConfig(hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=96,
                         max_position_embeddings=20, layer_norm_eps=1e-7, **shape),
              gguf.PoolingType.CLS, 20, mixed_type)


if __name__ == "__main__":
    main()
