#!/usr/bin/env python3
"""Vector indexes of Pythia beside FAISS, hnswlib and usearch: the same vectors, the same queries, one run, one thread.

Usage: index_peers.py --pythia build/pythia --base BASE.npy --queries QUERIES.npy [--k 10] [--only NAME…]

Each index is asked one query at a time with rising effort; what is told is the most queries a second at which recall@k is
still at 0.90, 0.95 and 0.99 against comparing every vector. Rows must be normalised. Queries a second are those of processor
time, since on a machine with other work the clock measures that; p50 and p99 are by the clock. Building: seconds of processor
time, all threads together.

Packages: numpy faiss-cpu hnswlib usearch. One that is missing is named and left out.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # an override for other libraries' sake slows FAISS's products
    os.environ.pop(name, None)

import numpy as np  # noqa: E402

FLOORS = (0.90, 0.95, 0.99)
THREADS = 2


class FaissFlat:
    def __init__(self, base):
        import faiss

        faiss.omp_set_num_threads(THREADS)
        self.index = faiss.IndexFlatIP(base.shape[1])
        self.index.add(base)
        faiss.omp_set_num_threads(1)

        self.size = 4 * base.shape[1]

    efforts = (1,)

    def ask(self, query, k, _):
        return self.index.search(query[None], k)[1][0]


class FaissHnsw:
    efforts = (16, 24, 32, 48, 64, 96, 128, 192, 256, 512)

    def __init__(self, base, degree=32, kind="f32"):
        import faiss

        faiss.omp_set_num_threads(THREADS)
        if kind == "f32":
            self.index = faiss.IndexHNSWFlat(base.shape[1], degree, faiss.METRIC_INNER_PRODUCT)
        else:
            self.index = faiss.IndexHNSWSQ(
                base.shape[1], faiss.ScalarQuantizer.QT_8bit, degree, faiss.METRIC_INNER_PRODUCT
            )
            self.index.train(base)
        self.index.hnsw.efConstruction = 200
        self.index.add(base)
        faiss.omp_set_num_threads(1)
        self.size = len(faiss.serialize_index(self.index)) / len(base)

    def ask(self, query, k, effort):
        self.index.hnsw.efSearch = effort
        return self.index.search(query[None], k)[1][0]


class FaissRabitq:
    efforts = (4, 8, 16, 24, 32, 48, 64, 96, 128, 256)

    def __init__(self, base):
        import faiss

        faiss.omp_set_num_threads(THREADS)
        self.faiss = faiss
        lists = int(1.6 * len(base) ** 0.5)
        quantizer = faiss.IndexFlatIP(base.shape[1])
        coarse = faiss.IndexIVFRaBitQ(quantizer, base.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
        self.index = faiss.IndexRefineFlat(coarse)
        self.keep = (quantizer, coarse)
        self.index.train(base)
        self.index.add(base)
        faiss.omp_set_num_threads(1)
        self.size = len(faiss.serialize_index(self.index)) / len(base)

    def ask(self, query, k, effort):
        inner = self.faiss.IVFRaBitQSearchParameters(nprobe=effort, qb=8)
        params = self.faiss.IndexRefineSearchParameters(k_factor=10, base_index_params=inner)
        return self.index.search(query[None], k, params=params)[1][0]


class Hnswlib:
    efforts = (16, 24, 32, 48, 64, 96, 128, 192, 256, 512)

    def __init__(self, base):
        import hnswlib

        self.index = hnswlib.Index(space="ip", dim=base.shape[1])
        self.index.init_index(max_elements=len(base), ef_construction=200, M=16)
        self.index.add_items(base, num_threads=THREADS)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "index"
            self.index.save_index(str(path))
            self.size = path.stat().st_size / len(base)

    def ask(self, query, k, effort):
        self.index.set_ef(max(effort, k))
        return self.index.knn_query(query, k, num_threads=1)[0][0]


class Usearch:
    efforts = (16, 32, 64, 96, 128, 192, 256, 512)

    def __init__(self, base, dtype):
        from usearch.index import Index

        self.index = Index(ndim=base.shape[1], metric="ip", dtype=dtype, connectivity=16, expansion_add=200)
        self.index.add(np.arange(len(base)), base, threads=THREADS)
        self.size = self.index.serialized_length / len(base)

    def ask(self, query, k, effort):
        self.index.expansion_search = effort
        return self.index.search(query, k, threads=1).keys


PEERS = {
    "FAISS flat f32": FaissFlat,
    "FAISS HNSW M32 f32": lambda b: FaissHnsw(b, 32),
    "FAISS HNSW M16 int8": lambda b: FaissHnsw(b, 16, "int8"),
    "FAISS IVF-RaBitQ, re-ranked": FaissRabitq,
    "hnswlib M16": Hnswlib,
    "usearch f16": lambda b: Usearch(b, "f16"),
    "usearch int8": lambda b: Usearch(b, "i8"),
}


OURS = ("flat", "flat, f32", "hnsw", "hnsw, f32", "ivfpq")


def truth_of(base, queries, k):
    rows = []
    for query in queries:
        scores = base @ query
        best = np.argpartition(-scores, k)[:k]
        rows.append(best[np.argsort(-scores[best], kind="stable")])
    return np.array(rows)


def measure(peer, queries, truth, k):
    runs = []
    for effort in peer.efforts:
        passes = []
        for _ in range(2):  # the better of two
            laps, found = [], []
            cpu = time.process_time()
            for query in queries:
                lap = time.perf_counter()
                found.append(peer.ask(query, k, effort))
                laps.append(time.perf_counter() - lap)
            passes.append((time.process_time() - cpu, sorted(laps)))
        cpu, laps = min(passes)
        hits = sum(len(set(map(int, f)) & set(map(int, t))) for f, t in zip(found, truth))
        runs.append({"recall": hits / truth.size, "qps": len(queries) / cpu,
                     "p50": laps[len(laps) // 2] * 1e3, "p99": laps[len(laps) * 99 // 100] * 1e3})
        if runs[-1]["recall"] >= 0.995:
            break
    return runs


def row(name, build, size, runs):
    cells = []
    for floor in FLOORS:
        good = [r for r in runs if r["recall"] >= floor]
        best = max(good, key=lambda r: r["qps"]) if good else None
        cells.append(f"{best['qps']:,.0f} ({best['p50']:.3f} / {best['p99']:.3f})" if best else "-")
    print(f"| {name} | {build:.1f} s | {size:,.0f} | {' | '.join(cells)} |", flush=True)


def ours(args, name):
    kind, *floats = name.split(", ")
    command = [args.pythia, "bench", "index", "--base", args.base, "--queries", args.queries, "--k", str(args.k)]
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(command + ["--kind", kind] + ["--keep-f32"] * len(floats), capture_output=True,
                              env={"PYTHIA_HOME": home, "PATH": "/usr/bin:/bin"})
    if done.returncode:
        sys.exit(done.stderr.decode())
    runs = json.loads(done.stdout)["runs"]
    like = [{"recall": r["recall_at_k"], "qps": 1e6 / r["cpu_us"], "p50": r["p50_ms"], "p99": r["p99_ms"]} for r in runs]
    row(f"**Pythia {name}**", runs[0]["build_cpu_s"], runs[0]["bytes_per_vector"], like)
    one = runs[0]
    print(f"  {name}: a filter of 1 % {one['filtered_us']:.1f} us at recall {one['filtered_recall']:.3f}, "
          f"insert {one['insert_us']:.2f} us, delete {one['delete_us']:.3f} us", file=sys.stderr)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--pythia", default="build/pythia")
    args.add_argument("--base", required=True)
    args.add_argument("--queries", required=True)
    args.add_argument("--k", type=int, default=10)
    args.add_argument("--only", nargs="*", help="names of the first column, as 'hnswlib M16' or 'Pythia flat'")
    args = args.parse_args()
    base = np.ascontiguousarray(np.load(args.base), np.float32)
    queries = np.ascontiguousarray(np.load(args.queries), np.float32)
    truth = truth_of(base, queries, args.k)
    print("| index | build | bytes a vector | " + " | ".join(f"QPS at recall >= {f}, (p50 / p99 ms)" for f in FLOORS) + " |")
    print("|---|---|---|---|---|---|")
    for name, make in PEERS.items():
        if args.only and name not in args.only:
            continue
        try:
            start = time.process_time()
            peer = make(base)
            build = time.process_time() - start
        except ImportError as e:
            print(f"{name}: {e}", file=sys.stderr)
            continue
        row(name, build, getattr(peer, "size", base.shape[1] * 4), measure(peer, queries, truth, args.k))
        del peer
    for name in OURS:
        if not args.only or f"Pythia {name}" in args.only:
            ours(args, name)


if __name__ == "__main__":
    main()
