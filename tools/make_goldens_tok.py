#!/usr/bin/env python3
"""Writes tests/golden/tok/: what the reference tokenizer (Hugging Face's `tokenizers`) gives.

    vocab.txt     a small vocabulary: words, pieces, and the letters that the texts below come to
    lines.jsonl   texts with their ids in that vocabulary, in sections of one set of switches each
    small.gguf    that vocabulary as llama.cpp's converter spells it (needs the package `gguf`)
    digests.txt   of 45,816 generated texts, 256 at a time, with the vocabulary of all-MiniLM-L6-v2: SHA-256 of their ids

The generated texts (every code point in two settings, hostile mixtures, random bytes, code) are made again by
tests/model/test_tok.c with the same generator, so that only the digests are kept. Run by hand when the texts change:

    python3 tools/make_goldens_tok.py .setup/model-src tests/golden/tok
"""
import hashlib
import json
import struct
import sys
from pathlib import Path

import gguf
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

# ---- the generator: test_tok.c has the same ----

WORDS = "the quick brown fox return if def self none import size_t static const char void int buffer parse error index value".split()
SIGNS = ["(", ")", "{", "}", "[", "]", ";", ":", ",", ".", "->", "==", "!=", "+=", "\t", "    ", "\n", '"', "'", "_", "#", "//", "\\n", "0x1F", "1e-5"]
ODD = ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "[cls]", "[MASK", "[[CLS]]", "[unused1]", "##ing", "\u2581the", "\0", "\ufffd", "\u200d"]
BLOCKS = [(0x20, 0x5F), (0x00, 0x20), (0x80, 0x1D0), (0x300, 0x70), (0x370, 0x1C0), (0x590, 0x370), (0x900, 0x700), (0x1E00, 0x270),
          (0xAC00, 0x80), (0x4E00, 0x80), (0xF900, 0x250), (0xFE00, 0x200), (0x1D100, 0x100), (0x1F300, 0x400), (0x8D4, 14), (0x1E000, 0x2B),
          (0x1E944, 7), (0x11440, 8), (0x302A, 6), (0x1B40, 5)]
SWEEP = 0x110000 // 64
HOSTILE, BYTES, CODE = 6000, 2000, 3000
COUNT = 2 * SWEEP + HOSTILE + BYTES + CODE
BATCH = 256


class Random:
    """splitmix64"""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        return (z ^ z >> 31) % n


def encode(c):
    return b"" if 0xD800 <= c < 0xE000 else chr(c).encode()


def generate(i):
    """Text i, as bytes."""
    r = Random(i)
    if i < SWEEP:  # alone, between words
        return b" ".join(encode(c) + b"x" for c in range(i * 64, i * 64 + 64))
    i -= SWEEP
    if i < SWEEP:  # inside a word
        return b"".join(b"ab" + encode(c) for c in range(i * 64, i * 64 + 64))
    i -= SWEEP
    out = b""
    if i < HOSTILE:
        blocks = [BLOCKS[r.below(len(BLOCKS))] for _ in range(3)]
        for _ in range(1 + r.below(80)):
            what = r.below(32)
            if what == 0:
                out += ODD[r.below(len(ODD))].encode()
            elif what < 3:
                out += b" "
            else:
                first, n = blocks[r.below(3)]
                out += encode(first + r.below(n))
        return out
    i -= HOSTILE
    if i < BYTES:
        for _ in range(1 + r.below(120)):
            out += bytes([r.below(256)])
        return out
    for _ in range(1 + r.below(60)):
        what = r.below(4)
        if what == 0:
            out += SIGNS[r.below(len(SIGNS))].encode()
        else:
            word = WORDS[r.below(len(WORDS))].encode()
            out += word.upper() if what == 1 and r.below(3) == 0 else word
            if r.below(2):
                out += b" "
    return out


def write_digests(model, out):
    tok = Tokenizer.from_file(str(model / "tokenizer.json"))
    tok.no_truncation()
    tok.no_padding()
    lines = []
    for at in range(0, COUNT, BATCH):
        texts = [generate(i).decode("utf-8", "replace") for i in range(at, min(at + BATCH, COUNT))]
        h = hashlib.sha256()
        for e in tok.encode_batch(texts, add_special_tokens=False):
            h.update(struct.pack("<%di" % (len(e.ids) + 1), len(e.ids), *e.ids))
        lines.append(h.hexdigest()[:16])
    out.write_text("\n".join(lines) + "\n")


# ---- the small vocabulary ----

ORDINARY = """\
The quick brown fox jumps over the lazy dog.
static int backoff_next(struct backoff *b, uint64_t now)
def parse_iso8601(text: str) -> datetime: return _parse(text)
naïve café Ångström Übermut façade coöperate Ωmega
ΑΒΓΔ ΣΊΣΥΦΟΣ σίγμα τέλος İstanbul ISTANBUL ıI ẞß ǅungla ﬁne ﬃ K Å
中文字符和English混排 日本語テキスト ガギグゲゴ がぎぐ 한국어 각
he said “don’t” — and left… ¿qué? ¡sí! «ok» ‹x› 100€ $5 ^~`|<>=+ §¶†‡•
e\u0301 a\u0300\u0301\u0302 \u0344 q\u0307\u0323 \u1e9b\u0323 \u2260\u226e \u037e\u1fef\u0387
अनुच्छेद বাংলা தமிழ் ไทย ភាសា မြန်မာ ལྷ་ས عَرَبِيّ עִבְרִית
[CLS] one [SEP] two [MASK]three[PAD] [UNK] [cls] [MASK [MASK]] [[SEP] [unused1]
tab\there new\rcr\x0bvt\x0cff\x85nel\xa0nbsp\u2028ls\u3000wide\u200bzero\u00adsoft\ufeffbom
\0nul\0 \x01\x02\x7f \ufffd\ufffd \u200d\u200c \U000e0001 \ue000private
👩‍👩‍👧 🏳️‍🌈 🇩🇪 ☃️ 𝒳𝔘 𐐀𐐨 𞤀𞥄 \U0001d15e\U0001d160 \U0001e000\u0334\u0345\U0001e944 \u302e\u1b44\u08d5\u0301
##ing ## # ###x \u2581the \u2581 foo\u2581bar ab\u0300\u0301c \u034f \u0300 \u302e
unaffable UNAFFABLE running RuNNing runnable xqz zzzzzz the\u0301 THE\u0300\u0327
"""


def ordinary_lines():
    return [line for line in ORDINARY.split("\n") if line]


def long_words():
    for n in (99, 100, 101):
        for s in ("a", "é", "e\u0301", "中", "\U0001e000", "\U0001d15e", "\u1b44", "\uac01"):
            yield s * n
            yield "x " + s * n + "[SEP]"
    yield "a" * 50 + "\0" * 60 + "b" * 50
    yield "a" * 100 + "\u0301" * 50


def bad_bytes():
    yield from (b"\xff", b"a\xc3", b"\xc3\xa9\xc3", b"\xe4\xb8", b"\xf0\x9f\x92", b"\xed\xa0\x80x", b"\xc0\x80", b"\xf4\x90\x80\x80", b"the\x80\x80the")
    yield b"[CLS\xff] [\xc3MASK] [MASK]\xe4"
    for i in range(2 * SWEEP + HOSTILE, 2 * SWEEP + HOSTILE + 25):
        yield generate(i)


SWITCHES = [
    {},
    {"lowercase": False},
    {"strip_accents": False},
    {"lowercase": False, "strip_accents": True},
    {"clean_text": False, "handle_chinese_chars": False},
    {"clean_text": False, "handle_chinese_chars": False, "lowercase": False},
]


def normalizer(switches):
    full = dict(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    full.update(switches)
    return normalizers.BertNormalizer(**full)


def texts_of(section):
    own = [t.encode() for t in ordinary_lines()]
    hostile = [generate(2 * SWEEP + i) for i in range(HOSTILE)]
    if section == 0:
        return own + [t.encode() for t in long_words()] + list(bad_bytes()) + hostile[:220]
    return own + [t.encode() for t in list(long_words())[:6]] + hostile[300 * section : 300 * section + 25]


def make_vocab():
    words = "the quick brown fox over lazy dog int static struct def return str one two three un aff able run naive cafe omega".split()
    words += ["Der", "É", "ISTANBUL", "##ing", "##able", "##aff", "##ning", "##nable", "##nn", "##_", "\u2581", "##\u2581", "##\u2581bar", "[unused1]", "###", "##[x]"]
    letters = set()
    for k, switches in enumerate(SWITCHES):
        norm = normalizer(switches)
        for text in texts_of(k):
            letters |= set(norm.normalize_str(text.decode("utf-8", "replace")))
    # Two in three letters are known, so that both pieces and [UNK] come up.
    kept = [c for c in sorted(letters) if not c.isspace() and (ord(c) < 0x80 or ord(c) * 7919 % 3)]
    vocab = SPECIAL + words
    vocab += [t for c in kept for t in (c, "##" + c)]
    return list(dict.fromkeys(t for t in vocab if "\n" not in t and "\r" not in t))


def small_tokenizer(vocab, switches):
    tok = Tokenizer(models.WordPiece({t: i for i, t in enumerate(vocab)}, unk_token="[UNK]", max_input_chars_per_word=100))
    tok.normalizer = normalizer(switches)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL])
    return tok


def write_lines(vocab, out):
    with out.open("w", encoding="ascii") as f:
        for k, switches in enumerate(SWITCHES):
            tok = small_tokenizer(vocab, switches)
            f.write(json.dumps({"switches": switches}) + "\n")
            for text in texts_of(k):
                ids = tok.encode(text.decode("utf-8", "replace"), add_special_tokens=False).ids
                f.write(json.dumps({"hex": text.hex(), "ids": ids}, separators=(",", ":")) + "\n")


def write_gguf(vocab, out):
    types = [gguf.TokenType.CONTROL if t in SPECIAL else gguf.TokenType.NORMAL for t in vocab]
    spelled = [t if y == gguf.TokenType.CONTROL else t[2:] if t.startswith("##") else "\u2581" + t for t, y in zip(vocab, types)]
    w = gguf.GGUFWriter(str(out), "bert")
    w.add_tokenizer_model("bert")
    w.add_tokenizer_pre("default")
    w.add_token_list(spelled)
    w.add_token_types(types)
    for add, text in ((w.add_bos_token_id, "[CLS]"), (w.add_eos_token_id, "[SEP]"), (w.add_unk_token_id, "[UNK]"),
                      (w.add_sep_token_id, "[SEP]"), (w.add_pad_token_id, "[PAD]"), (w.add_mask_token_id, "[MASK]")):
        add(vocab.index(text))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()


def main():
    model, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    vocab = make_vocab()
    (out / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8", newline="\n")
    write_lines(vocab, out / "lines.jsonl")
    # As llama.cpp spells it: without what that spelling cannot tell apart.
    write_gguf([t for t in vocab if not t.startswith("##\u2581") and t != "##[x]"], out / "small.gguf")
    write_digests(model, out / "digests.txt")


if __name__ == "__main__":
    main()
