#!/usr/bin/env python3
"""Makes tests/golden/quant.txt: products of quantised weights and activations by ggml itself, every tensor type.

    python3 tools/make_goldens_quant.py [tests/golden]

Needs numpy and llama_cpp (for its libggml; not needed to build or test). Seeds are fixed. Two kinds of lines:

    acts NAME K <two rows of K floats in hex>
    TYPE NAME K <three rows of blocks in hex> <2 x 3 products in hex>   products [activation row][weight row]

Of the three weight rows two are quantised from normal numbers by ggml, the last is random bits with small scales: every
pattern of bits occurs. The last row of activations has a few large numbers. Activations
are multiples of 2^-5 below 8 in magnitude, so that formats that ggml rounds activations to (F16, BF16) hold them exactly.
"""
import ctypes
import pathlib
import sys

import llama_cpp
import numpy as np

# name: number in the file, numbers a block, bytes a block, where a block's half-precision numbers stand
TYPES = {"F32": (0, 1, 4, []), "F16": (1, 1, 2, []), "BF16": (30, 1, 2, []), "Q4_0": (2, 32, 18, [0]),
         "Q4_1": (3, 32, 20, [0, 2]), "Q5_0": (6, 32, 22, [0]), "Q5_1": (7, 32, 24, [0, 2]), "Q8_0": (8, 32, 34, [0]),
         "Q4_K": (12, 256, 144, [0, 2]), "Q5_K": (13, 256, 176, [0, 2]), "Q6_K": (14, 256, 210, [208])}
ROWS = 3


class Traits(ctypes.Structure):
    _fields_ = [("from_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
                ("vec_dot", ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p,
                                             ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)),
                ("dot_type", ctypes.c_int), ("nrows", ctypes.c_int64)]


class Ggml:
    def __init__(self):
        folder = pathlib.Path(llama_cpp.__file__).parent / "lib"
        self.base = ctypes.CDLL(folder / "libggml-base.so", ctypes.RTLD_GLOBAL)
        self.cpu = ctypes.CDLL(folder / "libggml-cpu.so")
        self.base.ggml_quantize_chunk.restype = ctypes.c_size_t
        self.base.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64,
                                                  ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
        self.cpu.ggml_get_type_traits_cpu.restype = ctypes.POINTER(Traits)
        self.cpu.ggml_cpu_init()

    def quantize(self, kind, rows):
        number, items, size, _ = TYPES[kind]
        out = np.zeros((len(rows), rows.shape[1] // items * size), np.uint8)
        rows = np.ascontiguousarray(rows, np.float32)
        self.base.ggml_quantize_chunk(number, rows.ctypes.data, out.ctypes.data, 0, len(rows), rows.shape[1], None)
        return out

    def product(self, kind, weights, x):
        traits = self.cpu.ggml_get_type_traits_cpu(TYPES[kind][0]).contents
        x = np.ascontiguousarray(x, np.float32)
        row = np.zeros(len(x) * 4 + 512, np.uint8)
        if traits.dot_type == 0:
            row[: len(x) * 4] = x.view(np.uint8)
        else:
            self.cpu.ggml_get_type_traits_cpu(traits.dot_type).contents.from_float(x.ctypes.data, row.ctypes.data, len(x))
        weights = np.ascontiguousarray(weights)
        out = np.zeros(1, np.float32)
        traits.vec_dot(len(x), out.ctypes.data, 0, weights.ctypes.data, 0, row.ctypes.data, 0, 1)
        return out[0]


def activations(rng, k):
    x = rng.normal(0, 1, (2, k))
    x[1, rng.integers(0, k, 4)] *= 8
    return (np.clip(np.round(x * 32) / 32, -7.96875, 7.96875)).astype(np.float32)


def weights(ggml, rng, kind, k):
    _, items, size, halves = TYPES[kind]
    rows = ggml.quantize(kind, rng.normal(0, 1, (ROWS, k)))
    if items > 1:
        blocks = rng.integers(0, 256, (k // items, size), dtype=np.uint8)
        for at in halves:
            blocks[:, at:at + 2] = rng.normal(0, 0.05, (len(blocks), 1)).astype(np.float16).view(np.uint8)
        rows[-1] = blocks.reshape(-1)
    return rows


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden")
    ggml, rng, lines = Ggml(), np.random.default_rng(23), []
    for name, k in (("odd", 352), ("long", 768)):
        x = activations(rng, k)
        lines.append(f"acts {name} {k} {x.tobytes().hex()}\n")
        for kind, (_, items, _, _) in TYPES.items():
            if k % items or (name == "long" and items != 256):
                continue
            rows = weights(ggml, rng, kind, k)
            products = np.array([[ggml.product(kind, w, a) for w in rows] for a in x], np.float32)
            lines.append(f"{kind} {name} {k} {rows.tobytes().hex()} {products.tobytes().hex()}\n")
    (folder / "quant.txt").write_text("".join(lines))


main()
