#!/usr/bin/env python3
"""Writes src/model/tok_unicode_data.c: what the reference tokenizer takes each code point for.

The reference (Hugging Face's `tokenizers`) mixes the Unicode versions of several libraries: categories of one, NFD of
another, lower case of a third. No single Unicode library agrees with it, so its own answers are asked, for each of the
1,112,064 code points and each step apart, and kept as tables. Needs the Python package `tokenizers`; run by hand when
the reference moves:

    python3 tools/make_tok_unicode.py src/model/tok_unicode_data.c
"""
import sys

import tokenizers
from tokenizers import normalizers, pre_tokenizers

HANGUL = range(0xAC00, 0xD7A4)  # decomposed by arithmetic
BLOCK = 128
PLANES = 0x20000  # above: ranges
REMOVE, WHITE, PUNCT, CHINESE, STRIP, LOWER, JOIN = 1, 2, 4, 8, 16, 32, 64
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def bert(**on):
    flags = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    flags.update(on)
    return normalizers.BertNormalizer(**flags).normalize_str


def probe():
    """(flags by code point, strip map, lower map)"""
    clean, chinese = bert(clean_text=True), bert(handle_chinese_chars=True)
    strip, lower, nfd = bert(strip_accents=True), bert(lowercase=True), normalizers.NFD().normalize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    flags, strips, lowers = [0] * 0x110000, {}, {}
    for c in CODE_POINTS:
        s = chr(c)
        pieces = [piece for piece, _ in split("a" + s + "a")]
        cleaned = clean(s)
        f = 0
        if pieces == ["a", "a"]:
            f |= WHITE
        elif pieces == ["a", s, "a"]:
            f |= PUNCT
        else:
            assert pieces == ["a" + s + "a"], hex(c)
        if cleaned == "":
            f |= REMOVE
        else:
            assert cleaned == (" " if f & WHITE else s), hex(c)
        if chinese(s) != s:
            assert chinese(s) == f" {s} "
            f |= CHINESE
        if strip(s) != s:
            f |= STRIP
            strips[c] = strip(s)
        if lower(s) != s:
            f |= LOWER
            lowers[c] = lower(s)
        # Does U+0334 (class 1) move before U+0345 (class 240) over c? Then c is no boundary of canonical ordering.
        if nfd("a\u0345" + s + "\u0334").startswith("a\u0334"):
            f |= JOIN
        flags[c] = f
    return flags, strips, lowers


def order_of_joiners(flags, strips):
    """rank by code point, 1..: canonical combining classes of the marks that survive, as the reference orders them."""
    nfd = normalizers.NFD().normalize_str
    marks = [c for c in CODE_POINTS if flags[c] & JOIN and not flags[c] & STRIP]
    after = lambda x, y: nfd("a" + chr(x) + chr(y)) != "a" + chr(x) + chr(y)  # class(x) > class(y)
    below = {x: sum(after(x, y) for y in marks) for x in marks}
    ranks = {n: i + 1 for i, n in enumerate(sorted(set(below.values())))}
    for x in marks:  # marks with an order are words' letters and nothing else: tok_wordpiece.c relies on it
        assert not flags[x] & (REMOVE | WHITE | PUNCT | CHINESE), hex(x)
    for c, to in strips.items():
        assert to == "" or not flags[c] & JOIN, hex(c)
    return {x: ranks[below[x]] for x in marks}


def lower_ranges(lowers):
    """[first, last, step, delta]"""
    out = []
    for c in sorted(lowers):
        if len(lowers[c]) != 1:
            assert c == 0x130 and lowers[c] == "i\u0307"  # told by code
            continue
        delta = ord(lowers[c]) - c
        if out:
            r = out[-1]
            gap = c - r[1]
            if r[3] == delta and gap in (1, 2) and (r[0] == r[1] or r[2] == gap):
                r[1], r[2] = c, gap
                continue
        out.append([c, c, 1, delta])
    return out


def rows(items, per_row):
    return "".join("    " + " ".join(items[i : i + per_row]) + "\n" for i in range(0, len(items), per_row))


def write(path):
    flags, strips, lowers = probe()
    order = order_of_joiners(flags, strips)
    classes = {}

    def letter(c):
        key = (flags[c], order.get(c, 0))
        return chr(ord("A") + classes.setdefault(key, len(classes)))

    letters = [letter(c) for c in range(PLANES)]
    high = []
    for c in range(PLANES, 0x110000):
        if high and high[-1][2] == letter(c):
            high[-1][1] = c
        else:
            high.append([c, c, letter(c)])
    blocks, index = {}, []
    for at in range(0, PLANES, BLOCK):
        index.append(blocks.setdefault("".join(letters[at : at + BLOCK]), len(blocks)))
    assert len(blocks) < 256 and len(classes) <= 26
    singles = [(c, ord(s)) for c, s in sorted(strips.items()) if len(s) == 1 and c not in HANGUL]
    several = [(c, s) for c, s in sorted(strips.items()) if len(s) > 1 and c not in HANGUL]
    assert all(len(s) <= 3 for _, s in several)
    lower = lower_ranges(lowers)
    names = "REMOVE WHITE PUNCT CHINESE STRIP LOWER JOIN".split()
    w = open(path, "w", encoding="ascii").write
    w("/* tok_unicode_data.c - generated by tools/make_tok_unicode.py from tokenizers %s: do not edit.\n" % tokenizers.__version__)
    w(" *\n * What the tables mean: tok_unicode.h. */\n/* clang-format off */\n#include \"model/tok_unicode.h\"\n\n")
    w("const TokChar tok_char_classes[] = {\n")
    for (f, o), _ in sorted(classes.items(), key=lambda kv: kv[1]):
        w("    {%s, %d},\n" % (" | ".join("TOK_CHAR_" + n for i, n in enumerate(names) if f >> i & 1) or "0", o))
    w("};\n\nconst uint8_t tok_char_index[TOK_CHAR_PLANES / TOK_CHAR_BLOCK] = {\n")
    w(rows(["%d," % i for i in index], 32))
    w("};\n\nconst char tok_char_blocks[][TOK_CHAR_BLOCK + 1] = {\n")
    for text in blocks:
        w('    "%s",\n' % text)
    w("};\n\nconst TokCharRange tok_char_high[] = {\n")
    w(rows(["{0x%X, 0x%X, '%s'}," % tuple(r) for r in high], 4))
    w("};\nconst size_t tok_char_high_count = sizeof tok_char_high / sizeof *tok_char_high;\n")
    w("\nconst TokCharPair tok_char_strip_one[] = {\n")
    w(rows(["{0x%X, 0x%X}," % p for p in singles], 6))
    w("};\nconst size_t tok_char_strip_one_count = sizeof tok_char_strip_one / sizeof *tok_char_strip_one;\n")
    w("\nconst TokCharSeveral tok_char_strip_several[] = {\n")
    w(rows(["{0x%X, {%s}}," % (c, ", ".join("0x%X" % ord(x) for x in s)) for c, s in several], 3))
    w("};\nconst size_t tok_char_strip_several_count = sizeof tok_char_strip_several / sizeof *tok_char_strip_several;\n")
    w("\nconst TokCharLower tok_char_lower_ranges[] = {\n")
    w(rows(["{0x%X, 0x%X, %d, %d}," % tuple(r) for r in lower], 5))
    w("};\nconst size_t tok_char_lower_count = sizeof tok_char_lower_ranges / sizeof *tok_char_lower_ranges;\n")
    print(len(classes), "classes", len(blocks), "blocks", len(high), "high", len(singles), len(several), len(lower))


if __name__ == "__main__":
    write(sys.argv[1])
