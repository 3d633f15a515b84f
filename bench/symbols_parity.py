#!/usr/bin/env python3
"""Definitions that pythia finds in a tree beside those of universal-ctags: functions, methods and classes by name and line.

    bench/symbols_parity.py FOLDER [--lang python] [--binary build/pythia] [--show 20]

Prints a JSON object: files and how many were cut by their syntax tree without any error in it, ctags' definitions and how many of
them pythia has too, by kind. The folder is indexed by words alone into a store of its own. Needs `ctags` (universal-ctags).
"""
import argparse
import collections
import json
import os
import pathlib
import sqlite3
import subprocess
import tempfile

# ctags' kinds that are functions, methods or types with a body, by its language.
KINDS = {
    "Python": {"function", "member", "class"},
    "Go": {"func", "struct", "interface"},
    "Rust": {"function", "method", "struct", "enum", "interface", "macro"},
    "Java": {"method", "class", "interface", "enum"},
    "TypeScript": {"function", "method", "class", "interface", "enum"},
    "JavaScript": {"function", "method", "class", "generator"},
    "C": {"function", "struct", "union", "enum"},
    "C++": {"function", "class", "struct", "union", "enum"},
    "Ruby": {"method", "singletonMethod", "class", "module"},
    "PHP": {"function", "class", "interface", "trait"},
    "C#": {"method", "class", "interface", "struct", "enum"},
    "Lua": {"function"},
    "Sh": {"function"},
    "Kotlin": {"method", "class", "interface", "object"},
}


def ctags(folder, files):
    """(file, name) -> lines, and the kinds."""
    run = subprocess.run(["ctags", "--output-format=json", "--fields=+nKl", "--sort=no", "-L", "-", "-f", "-"], cwd=folder,
                         input="\n".join(files), capture_output=True, text=True, check=True, errors="replace")
    for line in run.stdout.splitlines():
        tag = json.loads(line)
        if tag.get("_type") == "tag" and tag.get("kind") in KINDS.get(tag.get("language"), ()):
            if not tag["name"].startswith("__anon") and not tag["name"].startswith("anonymous"):
                yield tag["path"], tag["name"], tag["line"], tag["kind"]


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("folder")
    args.add_argument("--lang", action="append", default=[], help="only files of this language; repeatable")
    args.add_argument("--binary", default="build/pythia")
    args.add_argument("--show", type=int, default=0, help="print so many that were missed")
    args = args.parse_args()
    binary, folder = os.path.abspath(args.binary), os.path.realpath(args.folder)
    with tempfile.TemporaryDirectory() as home:
        env = dict(os.environ, PYTHIA_HOME=home)
        report = subprocess.run([binary, "index", folder, "--lex-only", "--no-ignore", "--max-file-size", "8M", "--json"], env=env,
                                capture_output=True, text=True)
        took = json.loads(report.stdout)["reports"][0]["seconds"]
        db = sqlite3.connect(pathlib.Path(home) / "pythia.db")
        wanted = "AND lang IN (%s)" % ",".join("?" * len(args.lang)) if args.lang else ""
        docs = dict(db.execute("SELECT path, id FROM documents WHERE state = 0 " + wanted, args.lang))
        by_lines = {p for p, in db.execute(
            "SELECT DISTINCT d.path FROM chunks c JOIN documents d ON d.id = c.document WHERE c.kind = 'lines'")}
        symbols = collections.defaultdict(set)
        for path, name, line, first, last in db.execute(
                "SELECT d.path, s.name, s.line, s.start_line, s.end_line FROM symbols s JOIN documents d ON d.id = s.document"):
            symbols[path, name].add((line, first, last))
        count = db.execute("SELECT count(*) FROM symbols").fetchone()[0]
    found, missed = collections.Counter(), collections.Counter()
    examples = []
    for path, name, line, kind in ctags(folder, sorted(docs)):
        # ctags may name the line of the signature's start: within the definition's own lines is the same one.
        if any(abs(at - line) <= 1 or first <= line <= at for at, first, last in symbols[path, name]):
            found[kind] += 1
        else:
            missed[kind] += 1
            examples.append("%s:%d %s %s" % (path, line, kind, name))
    total = sum(found.values()) + sum(missed.values())
    print(json.dumps({
        "folder": folder, "files": len(docs), "by_tree": len(docs) - len(by_lines & set(docs)), "symbols": count,
        "ctags": total, "found": sum(found.values()), "share": round(sum(found.values()) / total, 4) if total else None,
        "missed": dict(missed), "index_seconds": took}))
    for text in examples[:args.show]:
        print(text)


if __name__ == "__main__":
    main()
