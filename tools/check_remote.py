#!/usr/bin/env python3
"""Embeddings of a real service against our own of the same model: llama.cpp's server (python package llama_cpp[server]).

usage: check_remote.py PYTHIA MODEL.gguf [PYTHON]

Starts the server on a free port, embeds the same texts through it (`--model remote:NAME`) and here, compares; then indexes a
folder through it and searches. PYTHON is the interpreter that has llama_cpp. Exit 1 when something differs.
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

TEXTS = ["how do I retry a request", "tomato soup with basil", "static int backoff_next(struct backoff *b)",
         "naïve café", "x"] + ["number %d of many texts in one batch" % i for i in range(60)]


def wait_ready(port, process):
    for _ in range(600):
        if process.poll() is not None:
            sys.exit("the server ended with %d" % process.returncode)
        try:
            return urllib.request.urlopen("http://127.0.0.1:%d/v1/models" % port, timeout=1).read()
        except OSError:
            time.sleep(0.1)
    sys.exit("the server is not ready after a minute")


def run(pythia, env, *args, stdin=None, cwd=None):
    done = subprocess.run([pythia, *args], env=env, input=stdin, capture_output=True, text=True, cwd=cwd)
    if done.returncode:
        sys.exit("pythia %s: exit %d\n%s" % (" ".join(args), done.returncode, done.stderr))
    return done.stdout


def embed(pythia, env, model):
    lines = "".join(json.dumps({"text": t}) + "\n" for t in TEXTS)
    return [json.loads(line)["embedding"] for line in run(pythia, env, "embed", "-", "--model", model, stdin=lines).splitlines()]


def check(pythia, model, port, home):
    env = {**os.environ, "PYTHIA_HOME": str(home), "PYTHIA_EMBED_REMOTE_URL": "http://127.0.0.1:%d/v1" % port,
           "NO_PROXY": "127.0.0.1"}
    ours, theirs = embed(pythia, env, model), embed(pythia, env, "remote:model")
    cosines = [sum(a * b for a, b in zip(x, y)) for x, y in zip(ours, theirs)]
    print("%d texts, %d dimensions, cosine at least %.6f" % (len(TEXTS), len(theirs[0]), min(cosines)))
    tree = home / "tree"
    tree.mkdir()
    for name, text in (("soup.txt", "Tomato soup with an onion and basil."), ("net.txt", "Retry the request with backoff.")):
        (tree / name).write_text(text)
    run(pythia, env, "index", "--model", "remote:model", cwd=tree)
    hits = json.loads(run(pythia, env, "search", "sending again", "--mode", "semantic", "--json", cwd=tree))["results"]
    print("search: %s" % [h["path"] for h in hits])
    return min(cosines) > 0.999 and hits[0]["path"] == "net.txt"


def main():
    pythia, model = (os.path.abspath(p) for p in sys.argv[1:3])
    python = sys.argv[3] if len(sys.argv) > 3 else sys.executable
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    home = pathlib.Path(tempfile.mkdtemp(prefix="pythia-remote-"))
    server = subprocess.Popen([python, "-m", "llama_cpp.server", "--model", model, "--embedding", "true", "--port", str(port),
                               "--model_alias", "model"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_ready(port, server)
        good = check(pythia, model, port, home)
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(home, ignore_errors=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
