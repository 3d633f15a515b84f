#!/usr/bin/env python3
"""The lexical index beside SQLite's FTS5 and tantivy: build, bytes, and what a phrase of eight words costs.

Usage: lexical_peers.py FOLDER... [--bench build/bench/bench_lex] [--count 98559] [--bytes 440] [--queries 244]
                        [--engines pythia,fts5,tantivy]

Text files of the folders are cut into pieces of about --bytes; the queries are eight words that follow each other in
docstrings and comments. Each engine indexes the pieces alone (one field, with positions), in one thread, and is asked for
the ten best that hold any of the words. Times are CPU times of the process, so that a busy machine moves them little; of
each query the least of three. tantivy is measured when it can be imported (pip install tantivy); its times include Python's
call (1 to 3 us). Ours analyses more: identifiers are split, kept whole and stemmed.
"""
import argparse
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUFFIXES = {".py", ".c", ".h", ".md", ".rst", ".txt", ".js", ".ts"}
ROUNDS = 3
K = 10


def pieces(folders, size, count):
    found = []
    for folder in folders:
        for path in sorted(Path(folder).rglob("*"), key=lambda p: p.as_posix()):
            if path.suffix not in SUFFIXES or not path.is_file():
                continue
            try:
                text = path.read_text(encoding="utf-8").replace("\0", " ")
            except (UnicodeDecodeError, OSError):
                continue
            piece = ""
            for line in text.splitlines(True):
                if piece and len(piece) + len(line) > size:
                    found.append(piece)
                    piece = ""
                piece += line[:2000]
            if piece.strip():
                found.append(piece)
            if len(found) >= count:
                return found[:count]
    return found


def phrases(chunks, count):
    pattern = re.compile(r"\b(?:[a-z]{1,12} ){7}[a-z]{2,12}\b")
    found = []
    for step in range(97):  # from all over the tree, always the same
        for chunk in chunks[step::97]:
            match = pattern.search(chunk)
            if match and len(found) < count:
                found.append(match.group(0))
                break
        if step == 96 and len(found) < count:
            found += [m.group(0) for m in map(pattern.search, chunks[::11]) if m][:count - len(found)]
    return found


def percentile(times, p):
    return round(sorted(times)[int(len(times) * p / 100)] * 1e3, 4)


def ask(queries, search):
    times = [1e9] * len(queries)
    for _ in range(ROUNDS):
        for i, query in enumerate(queries):
            start = time.process_time()
            search(query)
            times[i] = min(times[i], time.process_time() - start)
    return {"p50_ms": percentile(times, 50), "p95_ms": percentile(times, 95)}


def bytes_of(folder):
    return sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())


def run_fts5(folder, chunks, queries):
    path = os.path.join(folder, "fts.db")
    start = time.process_time()
    db = sqlite3.connect(path)
    db.execute("CREATE VIRTUAL TABLE t USING fts5(body, content='', tokenize='porter unicode61')")
    db.executemany("INSERT INTO t(rowid, body) VALUES (?, ?)", enumerate(chunks, 1))
    db.commit()
    db.execute("INSERT INTO t(t) VALUES ('optimize')")
    db.commit()
    build = time.process_time() - start
    sql = f"SELECT rowid FROM t WHERE t MATCH ? ORDER BY bm25(t) LIMIT {K}"
    result = ask(queries, lambda q: db.execute(sql, (" OR ".join(f'"{w}"' for w in q.split()),)).fetchall())
    db.close()
    return {"build_s": round(build, 3), "bytes": os.path.getsize(path), **result}


def run_tantivy(folder, chunks, queries):
    import tantivy

    schema = tantivy.SchemaBuilder().add_text_field("body", stored=False, index_option="position").build()
    index = tantivy.Index(schema, path=folder)
    start = time.process_time()
    writer = index.writer(heap_size=256 << 20, num_threads=1)
    for chunk in chunks:
        document = tantivy.Document()
        document.add_text("body", chunk)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    build = time.process_time() - start
    index.reload()
    searcher = index.searcher()
    result = ask(queries, lambda q: searcher.search(index.parse_query(q, ["body"]), K))
    return {"build_s": round(build, 3), "bytes": bytes_of(folder), **result}


def run_ours(folder, chunks, queries, bench):
    texts = [os.path.join(folder, name) for name in ("chunks", "queries")]
    for path, lines in zip(texts, (chunks, queries)):
        Path(path).write_bytes(b"".join(line.encode() + b"\0" for line in lines))
    out = subprocess.run([bench, *texts, os.path.join(folder, "index"), str(ROUNDS)], capture_output=True, text=True)
    if out.returncode:
        sys.exit(out.stderr)
    result = json.loads(out.stdout)
    build = re.search(r"build ([0-9.]+)", out.stderr).group(1)
    return {"build_s": float(build), "bytes": result["index_bytes"],
            "without_positions": result["percent_without_positions"], "p50_ms": result["search"]["p50_ms"],
            "p95_ms": result["search"]["p95_ms"]}


def main():
    args = argparse.ArgumentParser()
    args.add_argument("folders", nargs="+")
    args.add_argument("--bench", default="build/bench/bench_lex")
    args.add_argument("--count", type=int, default=98559)
    args.add_argument("--bytes", type=int, default=440)
    args.add_argument("--queries", type=int, default=244)
    args.add_argument("--engines", default="pythia,fts5,tantivy")
    args = args.parse_args()
    chunks = pieces(args.folders, args.bytes, args.count)
    queries = phrases(chunks, args.queries)
    text = sum(len(c.encode()) for c in chunks)
    print(json.dumps({"chunks": len(chunks), "text_bytes": text, "queries": len(queries)}))
    engines = [("pythia", lambda d: run_ours(d, chunks, queries, args.bench)),
               ("fts5", lambda d: run_fts5(d, chunks, queries)), ("tantivy", lambda d: run_tantivy(d, chunks, queries))]
    for name, run in engines:
        if name not in args.engines.split(","):
            continue
        folder = tempfile.mkdtemp(prefix="lexical-")
        try:
            result = run(folder)
            print(json.dumps({"engine": name, **result, "percent": round(100 * result["bytes"] / text, 2)}), flush=True)
        except ImportError as missing:
            print(json.dumps({"engine": name, "missing": str(missing)}))
        finally:
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
