#!/usr/bin/env python3
"""Writes tests/golden/tok_bpe/, tok_spm/ and tok_unigram/: small vocabularies, and the ids that the references give.

    bpe.gguf         a byte-level BPE vocabulary, for all families of pre-tokenizers: trained across words, so that a text
                     cut otherwise has other ids
    *.gguf           SentencePiece models, BPE and Unigram, trained here and spelled as llama.cpp's converter does
    lines.jsonl      texts with their ids, in sections
    digests.txt      of generated texts, 256 at a time: SHA-256 of their ids

The generated texts (every assigned code point, hostile mixtures, code) are made again by tests/model/tok_texts.h with the
same generator. References: Hugging Face's `tokenizers` for BPE and for Unigram, `sentencepiece` for its BPE and for Unigram
without words. Run by hand when the texts change (needs tokenizers, sentencepiece, gguf):

    python3 tools/make_goldens_tok_bpe.py tests/golden
"""
import hashlib
import io
import json
import re
import struct
import sys
import unicodedata
from pathlib import Path

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as spm_proto
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

# ---- the generator: tests/model/tok_texts.h has the same ----

WORDS = "the quick brown fox return if def self none import size_t static const char void int buffer parse error index value HTTPServer camelCase we'll I'M it's".split()
SIGNS = ["(", ")", "{", "}", "[", "]", ";", ":", ",", ".", "->", "==", "!=", "+=", "\t", "    ", "\n", "\r\n", "\n\n\n", '"', "'", "_", "#", "//", "/* ---- */", "\\n", "0x1F", "1e-5", "12345678", "  \n  "]
ODD = ["<|end|>", " [MASK]", "[MASK] ", "<s>", "</s>", "<unk>", "<0x41>", "\u2581", "\u2581\u2581", "   ", "\t\t", "'\u017f", "'LL", "\0", "\ufffd", "\u200d", "\u180e", "\x85", "\u2028",
       "e\u0301", "a\u0323\u0301", "\uff76\uff9e", "\ufb01", "\u2460", "\u0663\u0664", "\u01c5", "<\u0338", "\u1100\u1161\u11a8", "\uac00\u11a8", "\r", "\u3000"]
BLOCKS = [(0x20, 0x5F), (0x00, 0x20), (0x80, 0x1D0), (0x300, 0x70), (0x370, 0x1C0), (0x590, 0x370), (0x900, 0x700), (0x1100, 0x100), (0x1E00, 0x270), (0x2000, 0x70), (0x3040, 0xC0),
          (0xAC00, 0x80), (0x4E00, 0x80), (0xF900, 0x250), (0xFE00, 0x200), (0x1D100, 0x100), (0x1F300, 0x400), (0x10D40, 0x50), (0x11380, 0x80), (0x1AB0, 0x50), (0x1E130, 0x10), (0x1100, 0x100)]
SWEEP = 0x40000 // 128 + 0x1000 // 128
HOSTILE, CODE = 2000, 500
COUNT = SWEEP + HOSTILE + CODE
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


def letter(c):
    return "" if 0xD800 <= c < 0xE000 else chr(c)


def generate(i):
    r = Random(i)
    if i < SWEEP:  # inside a word, before a digit, alone
        first = i * 128 if i < 0x40000 // 128 else 0xE0000 + i * 128 - 0x40000
        return "".join("ab" + letter(c) + "1" + letter(c) + " " for c in range(first, first + 128))
    if i < SWEEP + HOSTILE:
        blocks = [BLOCKS[r.below(len(BLOCKS))] for _ in range(3)]
        out = ""
        for _ in range(1 + r.below(80)):
            what = r.below(32)
            if what < 3:
                out += ODD[r.below(len(ODD))]
            elif what < 6:
                out += " "
            else:
                first, n = blocks[r.below(3)]
                out += letter(first + r.below(n))
        return out
    out = ""
    for _ in range(1 + r.below(60)):
        what = r.below(4)
        if what == 0:
            out += SIGNS[r.below(len(SIGNS))]
        else:
            word = WORDS[r.below(len(WORDS))]
            out += word.upper() if what == 1 and r.below(3) == 0 else word
            if r.below(2):
                out += " "
    return out


ORDINARY = """\
The quick brown fox jumps over the lazy dog, and it's 1234567 times faster than we'll ever be.
static int backoff_next(struct backoff *b, uint64_t now) { return b->n++ < 10 ? 0x1F : -1; }
def parse_iso8601(text: str) -> datetime: return _parse(text)  # TODO: don't
naïve café Ångström Übermut façade coöperate Ωmega naïve café
ΑΒΓΔ ΣΊΣΥΦΟΣ σίγμα τέλος İstanbul ISTANBUL ıI ẞß ǅungla ﬁne ﬃ K Å
中文字符和English混排 日本語テキスト ガギグゲゴ ｶﾞｷﾞ がぎぐ 한국어 각
he said “don’t” — and left… ¿qué? ¡sí! «ok» ‹x› 100€ $5 ^~`|<>=+ §¶†‡•
अनुच्छेद বাংলা தமிழ் ไทย ភាសា မြန်မာ ལྷ་ས عَرَبِيّ עִבְרִית
👩‍👩‍👧 🏳️‍🌈 🇩🇪 ☃️ 𝒳𝔘 𐐀𐐨 ①② ㌔ ½ ² ﷺ
I'M he'Ll THEY'VE o'clock ''' '''s \t tab\t\ttab   three spaces    four
"""


def ordinary():
    return [line for line in ORDINARY.split("\n") if line] + ["", " ", "   ", "\n", " \n \n  x", "a" * 60, "ab" * 200, "x  <|end|>  y [MASK]  z", "[MASK]", "\u3000[MASK]<|end|>", "<|end|><|end|>", "<\u0338|end|>"]


def train_texts():
    return [generate(i) for i in range(SWEEP, COUNT) if i % 7 == 0] + [generate(i) for i in range(COUNT, COUNT + 1500)] + ordinary() * 20


def ids_digests(encode_batch):
    out = []
    for at in range(0, COUNT, BATCH):
        h = hashlib.sha256()
        for ids in encode_batch([generate(i) for i in range(at, min(at + BATCH, COUNT))]):
            h.update(struct.pack("<%di" % (len(ids) + 1), len(ids), *ids))
        out.append(h.hexdigest()[:16])
    return out


class Out:
    """lines.jsonl and digests.txt of a folder."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.lines, self.digests = folder, [], []

    def section(self, head, encode, encode_batch):
        self.lines.append(json.dumps(head))
        for text in ordinary() + [generate(SWEEP + i) for i in range(12)]:
            self.lines.append(json.dumps({"hex": text.encode().hex(), "ids": encode(text)}, separators=(",", ":")))
        self.digests.append(" ".join([next(iter(head.values()))] + ids_digests(encode_batch)))

    def write(self):
        (self.folder / "lines.jsonl").write_text("\n".join(self.lines) + "\n")
        (self.folder / "digests.txt").write_text("\n".join(self.digests) + "\n")


def write_gguf(path, model, tokens, types, **keys):
    w = gguf.GGUFWriter(str(path), "llama")
    w.add_tokenizer_model(model)
    w.add_token_list(tokens)
    w.add_token_types(types)
    for key, value in keys.items():
        getattr(w, "add_" + key)(value)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()


# ---- byte-level BPE ----

CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN35 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+%s|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*%s"
         r"|%s| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
DEEPSEEK3 = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"


def splits(*patterns):
    return [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns] + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]


GPT2 = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
FAMILIES = {  # name: pre-tokenizers, NFC, ignore_merges, the mask token strips the white space before it
    "gpt-2": (GPT2, False, False, False),
    "roberta-bpe": (GPT2, False, False, True),
    "modern-bert": (GPT2, True, False, True),
    "starcoder": ([pre_tokenizers.Digits(individual_digits=True)] + GPT2, False, False, False),
    "llama-bpe": (splits(CL100K % r"\p{N}{1,3}"), False, True, False),
    "dbrx": (splits(CL100K % r"\p{N}{1,3}"), False, False, False),
    "qwen2": (splits(CL100K % r"\p{N}"), True, False, False),
    "qwen35": (splits(QWEN35), True, False, False),
    "gpt-4o": (splits(O200K % (CONTRACTION, CONTRACTION, r"\p{N}{1,3}")), False, True, False),
    "tekken": (splits(O200K % ("", "", r"\p{N}")), False, True, False),
    "deepseek-coder": (splits("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+")[:-1] + [pre_tokenizers.Digits(individual_digits=True)] + splits(), False, False, False),
    "deepseek-v3": (splits(r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", DEEPSEEK3), False, False, False),
}


def train_bpe():
    """Tokens and merges. A few tokens no merge leads to: they tell ignore_merges."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split("\n\n", "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.train_from_iterator(train_texts(), trainers.BpeTrainer(vocab_size=1500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, max_token_length=12))
    model = json.loads(tok.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    extra = [t for t in ("\u0120quick", "static", "\u0120buffer", "value", "\u010a\u010a\u010a") if t not in model["vocab"]]
    return tokens + extra, [tuple(m) if isinstance(m, list) else tuple(m.split(" ", 1)) for m in model["merges"]]


def bpe_family(name, tokens, merges, special, user):
    pre, nfc, ignore_merges, left_strips = FAMILIES[name]
    tok = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, ignore_merges=ignore_merges))
    if nfc:
        tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence(pre)
    tok.add_special_tokens([AddedToken(t, normalized=False, lstrip=left_strips and t == "[MASK]") for t in special])
    tok.add_tokens([AddedToken(t, normalized=False) for t in user])
    return tok


def write_bpe(out):
    tokens, merges = train_bpe()
    special, user = ["<|end|>", "[MASK]", "<s>", "</s>"], ["   ", "\t\t"]
    vocab = bpe_family("gpt-2", tokens, merges, special, user).get_vocab()  # an added token that merges make keeps its id
    everything = sorted(vocab, key=vocab.get)
    types = [gguf.TokenType.CONTROL if t in special else gguf.TokenType.USER_DEFINED if t in user else gguf.TokenType.NORMAL for t in everything]
    write_gguf(out.folder / "bpe.gguf", "gpt2", everything, types, tokenizer_pre="gpt-2", token_merges=[" ".join(m) for m in merges], mask_token_id=everything.index("[MASK]"),
               bos_token_id=everything.index("<s>"), eos_token_id=everything.index("</s>"))
    for name in FAMILIES:
        tok = bpe_family(name, tokens, merges, special, user)
        out.section({"pre": name}, lambda t: tok.encode(t, add_special_tokens=False).ids, lambda ts: [e.ids for e in tok.encode_batch(ts, add_special_tokens=False)])
    out.write()


# ---- SentencePiece ----


def train_spm(**options):
    model = io.BytesIO()
    texts = [line for text in train_texts() for line in text.replace("\0", "").split("\n") if line.strip()]
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(texts), model_writer=model, minloglevel=2, num_threads=1, shuffle_input_sentence=False, **options)
    proto = spm_proto.ModelProto()
    proto.ParseFromString(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()), proto


def spm_types(proto):
    """Texts, types and scores as llama.cpp's converter spells them: user-defined ones with spaces."""
    kinds = {1: gguf.TokenType.NORMAL, 2: gguf.TokenType.UNKNOWN, 3: gguf.TokenType.CONTROL, 4: gguf.TokenType.USER_DEFINED, 5: gguf.TokenType.UNUSED, 6: gguf.TokenType.BYTE}
    texts = [p.piece.replace("\u2581", " ") if p.type == 4 else p.piece for p in proto.pieces]
    return texts, [kinds[p.type] for p in proto.pieces], [p.score for p in proto.pieces]


def encode_fragments(text, marks, encode):
    """SentencePiece does not look for control tokens in a text; llama.cpp and Hugging Face cut the text at them."""
    ids, at = [], 0
    for found in re.finditer("|".join(re.escape(m) for m in sorted(marks, key=len, reverse=True)), text):
        ids += encode(text[at : found.start()]) + [marks[found.group()]]
        at = found.end()
    return ids + encode(text[at:])


def write_spm(out):
    plain = dict(model_type="bpe", normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.98)
    sets = {
        "llama": dict(vocab_size=1200, byte_fallback=True, add_dummy_prefix=True),
        "gemma": dict(vocab_size=1300, byte_fallback=True, add_dummy_prefix=False, user_defined_symbols=["\u2581" * n for n in range(2, 9)] + ["\t\t", "<|end|>", "[MASK]", "<table>"]),
        "plain": dict(vocab_size=900, byte_fallback=False, add_dummy_prefix=True),
    }
    for name, options in sets.items():
        sp, proto = train_spm(**plain, **options)
        texts, types, scores = spm_types(proto)
        write_gguf(out.folder / f"{name}.gguf", "llama", texts, types, token_scores=scores, add_space_prefix=options["add_dummy_prefix"], bos_token_id=1, eos_token_id=2, unk_token_id=0)
        # User-defined symbols are looked for in the raw text: SentencePiece would find those of blanks in '▁▁', too.
        marks = {text: i for i, (text, type) in enumerate(zip(texts, types)) if type in (gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED)}
        for piece in proto.pieces:
            piece.type = 3 if piece.type == 4 else piece.type
        plain_sp = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
        encode = lambda t: encode_fragments(t, marks, plain_sp.encode)
        out.section({"model": name}, encode, lambda ts: [encode(t) for t in ts])
    out.write()


NFKC_BLOCKS = [(0xA0, 0x60), (0x2100, 0x50), (0x2460, 0x20), (0x3040, 0x60), (0x30A0, 0x60), (0x3300, 0x40), (0xFB00, 0x10), (0xFF00, 0xF0), (0x340, 0x5), (0x1D400, 0x20)]


def nfkc_rules(path):
    """Some of NFKC: characters, and characters with a mark (so that clusters of several come up)."""
    rules = {"\t": " ", "\n": " ", "\r": " ", "\u3000": " ", "\x01": "", "\u200b": "", "\ufeff": ""}
    for first, n in NFKC_BLOCKS:
        for c in range(first, first + n):
            to = unicodedata.normalize("NFKC", chr(c))
            if to != chr(c):
                rules[chr(c)] = to
    for base in "aeiouAEIOU\uff76\uff77\uff78\u304b\u304d\u05d0\u05e9":
        for mark in "\u0300\u0301\u0302\u0308\uff9e\u3099\u05c1\u0338":
            to = unicodedata.normalize("NFKC", base + mark)
            if to != base + mark:
                rules[base + mark] = to
    path.write_text("".join("%s\t%s\n" % (" ".join("%X" % ord(c) for c in a), " ".join("%X" % ord(c) for c in b)) for a, b in sorted(rules.items())))
    return str(path)


def unigram_tokenizer(pieces, unk, charsmap, special, byte_fallback):
    tok = Tokenizer(models.Unigram(pieces, unk_id=unk, byte_fallback=byte_fallback))
    tok.normalizer = normalizers.Precompiled(charsmap)
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")])
    tok.add_special_tokens([AddedToken(t, normalized=False, lstrip=t == "[MASK]") for t in special])
    return tok


def write_unigram(out):
    rules = nfkc_rules(out.folder / "rules.tsv")
    common = dict(model_type="unigram", normalization_rule_tsv=rules, character_coverage=0.98)
    for name, options in {"xlmr": dict(vocab_size=1300), "bytes": dict(vocab_size=1400, byte_fallback=True), "spaces": dict(vocab_size=1300, remove_extra_whitespaces=False)}.items():
        sp, proto = train_spm(**common, **options)
        texts, types, scores = spm_types(proto)
        charsmap = proto.normalizer_spec.precompiled_charsmap
        special, keys = ["<unk>", "<s>", "</s>"], dict(bos_token_id=1, eos_token_id=2, unk_token_id=0)
        if name == "xlmr":  # the order of fairseq, a mask behind
            texts = ["<s>", "<pad>", "</s>", "<unk>"] + texts[3:] + ["[MASK]"]
            types = [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.UNKNOWN] + types[3:] + [gguf.TokenType.CONTROL]
            scores = [0.0] * 4 + scores[3:] + [0.0]
            special, keys = ["<s>", "<pad>", "</s>", "<unk>", "[MASK]"], dict(bos_token_id=0, eos_token_id=2, unk_token_id=3, pad_token_id=1, mask_token_id=len(texts) - 1, add_bos_token=True, add_eos_token=True)
        write_gguf(out.folder / f"{name}.gguf", "t5", texts, types, token_scores=scores, add_space_prefix=True, remove_extra_whitespaces=name != "spaces", precompiled_charsmap=charsmap, **keys)
        if name == "spaces":  # SentencePiece is the reference of models without words, behind Hugging Face's normaliser
            precompiled = normalizers.Precompiled(charsmap)
            proto.normalizer_spec.precompiled_charsmap = b""
            plain = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
            encode = lambda t: encode_fragments(t, {"<unk>": 0, "<s>": 1, "</s>": 2}, lambda f: plain.encode(precompiled.normalize_str(f)))
            out.section({"model": name}, encode, lambda ts: [encode(t) for t in ts])
            continue
        tok = unigram_tokenizer(list(zip(texts, scores)), texts.index("<unk>"), charsmap, special, name == "bytes")
        out.section({"model": name}, lambda t: tok.encode(t, add_special_tokens=False).ids, lambda ts: [e.ids for e in tok.encode_batch(ts, add_special_tokens=False)])
    Path(rules).unlink()
    out.write()


def main():
    folder = Path(sys.argv[1])
    write_bpe(Out(folder / "tok_bpe"))
    write_spm(Out(folder / "tok_spm"))
    write_unigram(Out(folder / "tok_unigram"))


if __name__ == "__main__":
    main()
