#!/usr/bin/env python3
"""How well `pythia ask` answers and abstains, on questions of SQuAD 2's kind.

Usage: answers.py DIR [--pythia build/pythia] [--model NAME] [--n 400] [--work FOLDER] [--dump FILE.json]

DIR has corpus.jsonl {id, title, text} and queries.jsonl {id, text, answers, is_impossible, gold_doc}. Each paragraph becomes a
text file of a folder that is indexed; each question is asked by the program. Told are: how often the paragraph with the answer is
the first hit, and among the first five; how often what is quoted holds an answer, by the first quote and by all; and AUROC of the
confidence, questions with an answer against
  removed      the same with their paragraph left out (-file:…),
  topic        the same with their whole article left out,
  adversarial  questions written to look answerable (is_impossible).
With --llm WRITER (and --llm-model NAME) a model answers the questions that have an answer, instead: how often it abstains, how often its
answer holds one of the set's, SQuAD's F1 and exact match of its first sentence, sentences that were left out, and the share of citations
that stand in their files.
With --dump, what each confidence was made of, for fitting src/answer/gate.c (--fit prints weights; needs numpy).
"""
import argparse
import collections
import json
import os
import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FEATURES = ["cosine", "span_share", "span_cosine", "denied", "opposed", "held", "lead", "gap", "numbers", "names"]


def auroc(good, bad):
    ranked = sorted([(x, 1) for x in good] + [(x, 0) for x in bad])
    total, i = 0.0, 0
    while i < len(ranked):
        j = i
        while j < len(ranked) and ranked[j][0] == ranked[i][0]:
            j += 1
        total += sum(kind for _, kind in ranked[i:j]) * (i + j + 1) / 2
        i = j
    return (total - len(good) * (len(good) + 1) / 2) / (len(good) * len(bad))


def file_of(document):
    return document.replace("/", "_") + ".txt"


class Asker:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder

    def run(self, *words):
        return subprocess.run([self.args.pythia, *words], cwd=self.folder, env=self.args.env, capture_output=True, text=True)

    def ask(self, question, leave_out=None, *flags):
        # the question's own quotes and signs are text here, whatever they would mean to somebody who types them
        text = re.sub(r'(^|\s)[-+]+|["]|\b(lang|kind|path|file|sym|in|date):', " ", question)
        if leave_out:
            text += ' -file:"%s"' % leave_out
        run = self.run("ask", "--json", "--explain", *(flags or ("--abstain", "0")), "--", text)
        if run.returncode not in (0, 1):
            raise SystemExit("%s: %s" % (question, run.stderr))
        return json.loads(run.stdout)


def plain(text):
    return " ".join(re.sub(r"[^\w]+", " ", text.lower()).split())


def holds(text, answers):
    text = " %s " % plain(text)
    return any(" %s " % plain(a) in text for a in answers if plain(a))


def f1(text, answer):
    words = [re.sub(r"\b(a|an|the)\b", " ", plain(t)).split() for t in (text, answer)]
    same = sum((collections.Counter(words[0]) & collections.Counter(words[1])).values())
    return 2 * same / (len(words[0]) + len(words[1])) if same else 0.0


def written(asker, questions):
    """What a writer makes of questions that have an answer."""
    flags = ["--llm", asker.args.llm, "--model", asker.args.llm_model, "--no-stream"]
    sums, times = collections.Counter(), []
    for q in questions:
        reply = asker.ask(q["text"], None, *flags)
        times.append(reply["took_ms"])
        sums["left_out"] += len(reply.get("refused", []))
        if reply["abstained"]:
            sums["abstained"] += 1
            continue
        first = re.split(r"\[\d+\]", reply["answer"])[0]
        sums["holds"] += holds(reply["answer"], q["answers"])
        sums["first_holds"] += holds(first, q["answers"])
        sums["first_f1"] += max(f1(first, a) for a in q["answers"])
        sums["first_em"] += any(plain(first) == plain(a) for a in q["answers"])
        for c in reply["citations"]:
            sums["citations"] += 1
            sums["valid"] += c["quote"] in (asker.folder / reply["sources"][c["source"] - 1]["path"]).read_text()
    n, cited = len(questions), sums.pop("citations")
    out = {name: sums[name] / n for name in ("abstained", "holds", "first_holds", "first_f1", "first_em", "left_out")}
    return {"questions": n, **out, "citations": cited, "citations_valid": sums["valid"] / max(cited, 1), "p50_ms": sorted(times)[n // 2]}


def fit(rows):
    """Logistic regression by Newton's method, a little ridge. rows: (features, answered, weight)."""
    import numpy as np

    x = np.array([[1.0] + r[0] for r in rows])
    y = np.array([float(r[1]) for r in rows])
    weight = np.array([r[2] for r in rows])
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        gradient = x.T @ (weight * (y - p)) - 0.1 * np.r_[0, w[1:]]
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + 0.1 * np.diag(np.r_[0, np.ones(len(w) - 1)])
        w += np.linalg.solve(hessian, gradient)
    return w


def main():
    args = argparse.ArgumentParser()
    args.add_argument("dir")
    args.add_argument("--pythia", default="build/pythia")
    args.add_argument("--models", default=".setup/models")
    args.add_argument("--n", type=int, default=400)
    args.add_argument("--work", default="/tmp/pythia-answers")
    args.add_argument("--llm")
    args.add_argument("--llm-model", default="")
    args.add_argument("--dump")
    args.add_argument("--fit", action="store_true")
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    args.pythia = os.path.abspath(args.pythia)
    work = Path(args.work)
    args.env = {**os.environ, "PYTHIA_HOME": str(work / "home")}
    folder = work / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    (work / "home").mkdir(exist_ok=True)
    if not (work / "home" / "models").exists():
        (work / "home" / "models").symlink_to(os.path.abspath(args.models))
    for line in open(Path(args.dir) / "corpus.jsonl"):
        document = json.loads(line)
        path = folder / file_of(document["id"])
        if not path.exists():
            path.write_text("%s\n\n%s\n" % (document["title"], document["text"]))
    asker = Asker(args, folder)
    run = asker.run("index")
    if run.returncode:
        raise SystemExit(run.stderr)
    queries = [json.loads(line) for line in open(Path(args.dir) / "queries.jsonl")]
    random.Random(args.seed).shuffle(queries)
    able = [q for q in queries if not q["is_impossible"]][: args.n]
    unable = [q for q in queries if q["is_impossible"]][: args.n]
    if args.llm:
        print(json.dumps({k: round(v, 4) for k, v in written(asker, able).items()}, indent=1))
        return
    with ThreadPoolExecutor(2) as pool:
        answered = list(pool.map(lambda q: asker.ask(q["text"]), able))
        removed = list(pool.map(lambda q: asker.ask(q["text"], file_of(q["gold_doc"])), able))
        topic = list(pool.map(lambda q: asker.ask(q["text"], file_of(q["gold_doc"].split("#")[0]) [:-4] + "#*"), able))
        adversarial = list(pool.map(lambda q: asker.ask(q["text"]), unable))
    first = sum(r["read"][:1] == [file_of(q["gold_doc"])] for q, r in zip(able, answered)) / len(able)
    five = sum(file_of(q["gold_doc"]) in r["read"][:5] for q, r in zip(able, answered)) / len(able)
    one = sum(holds(r["citations"][0]["quote"], q["answers"]) for q, r in zip(able, answered) if r["citations"]) / len(able)
    every = sum(holds(" ".join(c["quote"] for c in r["citations"]), q["answers"]) for q, r in zip(able, answered)) / len(able)
    out = {"questions": len(able), "gold_at_1": first, "gold_at_5": five, "first_quote_holds": one, "quotes_hold": every}
    confidence = lambda rows: [r["confidence"] for r in rows]
    for name, rows in (("removed", removed), ("topic", topic), ("adversarial", adversarial)):
        out["auroc_" + name] = auroc(confidence(answered), confidence(rows))
    out["p50_ms"] = sorted(r["took_ms"] for r in answered)[len(answered) // 2]
    print(json.dumps({k: round(v, 4) for k, v in out.items()}, indent=1))
    sets = {"answered": answered, "removed": removed, "topic": topic, "adversarial": adversarial}
    if args.dump:
        json.dump({name: [[r["evidence"][f] for f in FEATURES] for r in rows] for name, rows in sets.items()}, open(args.dump, "w"))
    if args.fit:
        rows = [([r["evidence"][f] for f in FEATURES], name == "answered", 1.0 if name == "answered" else 1 / 3)
                for name, of in sets.items() for r in of]
        print("bias, %s: %s" % (", ".join(FEATURES), ", ".join("%.3f" % v for v in fit(rows))))


if __name__ == "__main__":
    main()
