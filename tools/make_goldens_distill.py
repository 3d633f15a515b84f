#!/usr/bin/env python3
"""Makes tests/golden/distill_*.txt: the tables that `pythia model distill` must make of the tiny networks, by other means.

    python3 tools/make_goldens_distill.py [tests/golden]

Needs numpy, torch, transformers and gguf, and the files of make_goldens.py. Tokens go through transformers.BertModel in
double, axes are numpy's eigenvectors, weights and scale are computed as model/distill.h tells. A file is

    explained <tab> share of the variance kept
    ID <tab> row in hex floats, before it is rounded to half precision        (a line each token that has a row)
"""
import pathlib
import sys

import gguf
import numpy as np
import torch
from transformers import BertConfig, BertModel

from make_goldens import SPECIAL, VOCABULARY, hex_floats, tensor_names

CLS, SEP = SPECIAL.index("[CLS]"), SPECIAL.index("[SEP]")
SPREAD, SIF, ASCII_RANK = 0.5, 1e-3, 10


def load(path):
    reader = gguf.GGUFReader(path)

    def number(key):
        return reader.fields[f"bert.{key}"].parts[-1][0].item()

    config = BertConfig(vocab_size=len(VOCABULARY), type_vocab_size=2, hidden_act="gelu", attn_implementation="eager",
                        hidden_size=number("embedding_length"), num_hidden_layers=number("block_count"),
                        num_attention_heads=number("attention.head_count"),
                        intermediate_size=number("feed_forward_length"),
                        max_position_embeddings=number("context_length"),
                        layer_norm_eps=number("attention.layer_norm_epsilon"))
    model = BertModel(config, add_pooling_layer=False).eval()
    state, names = model.state_dict(), tensor_names(config.num_hidden_layers)
    tensors = {t.name: t for t in reader.tensors}
    for key in state:
        base, _, suffix = key.rpartition(".")
        if base in names:
            t = tensors[f"{names[base]}.{suffix}"]
            state[key] = torch.tensor(np.array(gguf.quants.dequantize(t.data, t.tensor_type))).reshape(state[key].shape)
    model.load_state_dict(state)
    return model.double(), number("pooling_type")


def weights(ids):
    """SIF by rank: singles stand outside the order of frequency."""
    bodies = [VOCABULARY[i].removeprefix("##") if len(VOCABULARY[i]) > 2 else VOCABULARY[i] for i in ids]
    ranks, words = [], 0
    for body in bodies:
        words += len(body) > 1
        ranks.append(words if len(body) > 1 else ASCII_RANK)
    harmonic = sum(1 / r for r in range(1, words + 1))
    return np.array([SIF / (SIF + 1 / (r * harmonic)) for r in ranks])


def distill(path, dim, out):
    model, pooling = load(path)
    ids = [i for i, w in enumerate(VOCABULARY) if w not in SPECIAL]
    with torch.no_grad():
        hidden = model(input_ids=torch.tensor([[CLS, i, SEP] for i in ids])).last_hidden_state
    rows = hidden[:, 1 if pooling == gguf.PoolingType.MEAN else 0].numpy()
    rows = rows - rows.mean(0)
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    values, axes = values[::-1], vectors.T[::-1]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
    table = rows @ (axes[:dim] * values[:dim, None] ** (-SPREAD / 2)).T * weights(ids)[:, None]
    table /= np.abs(table).max()
    print(path.name, "nearest eigenvalues differ by", np.min(values[:dim] / values[1:dim + 1]) - 1)
    lines = [f"explained\t{values[:dim].sum() / values.sum():.9f}\n"]
    lines += [f"{i}\t{hex_floats(row)}\n" for i, row in zip(ids, table)]
    out.write_text("".join(lines))


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden")
    distill(folder / "tiny_bert.gguf", 16, folder / "distill_mean.txt")
    distill(folder / "tiny_bert_mixed.gguf", 16, folder / "distill_cls.txt")


if __name__ == "__main__":
    main()
