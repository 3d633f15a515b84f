#!/usr/bin/env python3
"""Chunks of real code for the embedding benches: the same source tree gives the same lines.

Usage: make_chunks.py FOLDER [--count 2000] [--chars 700] [--suffixes .py,.c,.h] > CHUNKS.jsonl

Files are cut at blank lines and at definitions, pieces joined up to some --chars characters and cut behind twice as many,
much as a code chunker leaves them; `count` of them are taken at even distances, so that every corner of the tree is there.
With CPython's Lib folder and the defaults all-MiniLM-L6-v2 sees a mean of 162 tokens when texts are cut at 256.
"""
import argparse
import json
import re
import sys
from pathlib import Path

DEFINITION = re.compile(r"\s*(?:@|def |class |async def |static |struct |typedef |#define )")


def pieces(text, limit):
    piece, length = [], 0
    for line in text.splitlines():
        boundary = not line.strip() or (DEFINITION.match(line) and not (piece and piece[-1].lstrip().startswith("@")))
        if piece and ((boundary and length >= limit // 2) or length + len(line) > limit * 2):
            yield "\n".join(piece).strip("\n")
            piece, length = [], 0
        piece.append(line)
        length += len(line) + 1
    if length >= 40:
        yield "\n".join(piece).strip("\n")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("folder")
    args.add_argument("--count", type=int, default=2000)
    args.add_argument("--chars", type=int, default=700)
    args.add_argument("--suffixes", default=".py,.c,.h")
    args = args.parse_args()
    suffixes = set(args.suffixes.split(","))
    found = []
    for path in sorted(Path(args.folder).rglob("*"), key=lambda p: p.as_posix()):
        if path.suffix not in suffixes or not path.is_file() or "site-packages" in path.parts:
            continue
        try:
            found += [p for p in pieces(path.read_text(encoding="utf-8"), args.chars) if p.strip()]
        except UnicodeDecodeError:
            continue
    if len(found) < args.count:
        sys.exit(f"make_chunks: '{args.folder}' gives {len(found)} chunks, {args.count} are wanted")
    for i in range(args.count):
        print(json.dumps({"text": found[i * len(found) // args.count]}, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
