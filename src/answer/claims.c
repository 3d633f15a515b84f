/* claims.c - see claims.h. */
#include "answer/claims.h"

#include "base/ascii.h"

/* Bytes above 0x7F are letters for what is asked here: whether a word ends. */
static bool is_letter(char c) { return is_upper(c) || is_lower(c) || (unsigned char)c >= 0x80; }
static bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

/* ---- marks ---- */

size_t claim_mark(Str text, size_t numbers[CLAIM_MARKS], size_t *n) {
    size_t at = 1, first = 0;
    bool range = false;
    *n = 0;
    if (text.n < 3 || text.p[0] != '[') return 0;
    if (str_starts(str_from(text, 1), STR("source ")) || str_starts(str_from(text, 1), STR("Source "))) at += 7;
    while (at < text.n && at < CLAIM_MARK_BYTES) {
        size_t number = 0, digits = 0;
        for (; at < text.n && is_digit(text.p[at]) && digits < 4; at++, digits++)
            number = number * 10 + (size_t)(text.p[at] - '0');
        if (!digits) return 0;
        for (size_t i = range ? first + 1 : number; i <= number && *n < CLAIM_MARKS; i++) numbers[(*n)++] = i;
        first = number;
        range = false;
        while (at < text.n && text.p[at] == ' ') at++;
        if (at == text.n) return 0;
        if (text.p[at] == ']') return at + 1;
        if (text.p[at] != ',' && text.p[at] != ';' && text.p[at] != '-') return 0;
        range = text.p[at++] == '-';
        while (at < text.n && text.p[at] == ' ') at++;
    }
    return 0;
}

/* ---- what a text has ---- */

/* The next number in a text: digits with points and commas between them. False: there is none. */
static bool number_next(Str text, size_t *at, Str *out) {
    while (*at < text.n && !is_digit(text.p[*at])) ++*at;
    const size_t from = *at;
    while (*at < text.n && (is_digit(text.p[*at]) || ((text.p[*at] == '.' || text.p[*at] == ',') && *at + 1 < text.n &&
                                                      is_digit(text.p[*at + 1]))))
        ++*at;
    *out = str_make(text.p + from, *at - from);
    return out->n > 0;
}

/* "1,000" and "1000" are one number; a comma before other than three digits parts two. */
static bool number_same(Str a, Str b) {
    size_t i = 0, k = 0;
    while (i < a.n || k < b.n) {
        if (i < a.n && a.p[i] == ',') {
            i++;
        } else if (k < b.n && b.p[k] == ',') {
            k++;
        } else {
            if (i == a.n || k == b.n || a.p[i] != b.p[k]) return false;
            i++, k++;
        }
    }
    return true;
}

static bool has_number(Str text, Str number) {
    Str one;
    for (size_t at = 0; number_next(text, &at, &one);)
        if (number_same(one, number)) return true;
    return false;
}

/* No word begins before [from, to) and goes on in it, or the other way round. */
static bool stands_alone(Str text, size_t from, size_t to) {
    if (from && is_word(text.p[from - 1]) && is_word(text.p[from])) return false;
    return to == text.n || !is_word(text.p[to]) || !is_word(text.p[to - 1]);
}

static bool has_word(Str text, Str word, bool any_case) {
    for (size_t at = 0; word.n && at + word.n <= text.n; at++) {
        const Str here = str_make(text.p + at, word.n);
        if ((any_case ? str_eq_nocase(here, word) : str_eq(here, word)) && stands_alone(text, at, at + word.n))
            return true;
    }
    return false;
}

/* The quotation stands there, however its blanks are. */
static bool has_quote(Str text, Str quote) {
    for (size_t from = 0; from < text.n; from++) {
        size_t at = from, i = 0;
        while (i < quote.n) {
            if (is_blank(quote.p[i])) {
                while (i < quote.n && is_blank(quote.p[i])) i++;
                if (at == text.n || !is_blank(text.p[at])) break;
                while (at < text.n && is_blank(text.p[at])) at++;
                continue;
            }
            if (at == text.n || text.p[at] != quote.p[i]) break;
            at++, i++;
        }
        if (i == quote.n && stands_alone(text, from, at)) return true;
    }
    return false;
}

/* ---- what a sentence says ---- */

/* The quotation that begins at `at`: what is between the marks; *end behind them. */
static bool quote_at(Str s, size_t at, Str *out, size_t *end) {
    static const struct {
        const char *open, *close;
    } marks[] = {{"\"", "\""}, {"`", "`"}, {"\xE2\x80\x9C", "\xE2\x80\x9D"}, {"\xC2\xAB", "\xC2\xBB"}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const Str rest = str_from(s, at);
        if (!str_starts(rest, str_of(marks[i].open))) continue;
        const Str inner = str_from(rest, strlen(marks[i].open));
        const ptrdiff_t close = str_find(inner, str_of(marks[i].close));
        if (close <= 0) return false;
        *out = str_upto(inner, (size_t)close);
        *end = at + strlen(marks[i].open) + (size_t)close + strlen(marks[i].close);
        return true;
    }
    return false;
}

/* A writer puts its own point into the quotation. */
static Str quote_core(Str quote) {
    quote = str_trim(quote);
    while (quote.n && strchr(".,;:!?", quote.p[quote.n - 1])) quote.n--;
    return quote;
}

static bool lacks_quotes(Str s, Str text) {
    for (size_t at = 0; at < s.n;) {
        Str quote;
        size_t end = 0;
        if (!quote_at(s, at, &quote, &end)) {
            at++;
            continue;
        }
        quote = quote_core(quote);
        if (quote.n && !has_quote(text, quote)) return true;
        at = end;
    }
    return false;
}

/* What a word is made of beside its letters: "snake_case", "camelCase", "a.b", "x::y", "src/a.c", "f()". */
static bool is_identifier(Str w) {
    for (size_t i = 0; i < w.n; i++) {
        const bool inner = i > 0 && i + 1 < w.n;
        if (w.p[i] == '_' || (inner && is_lower(w.p[i - 1]) && is_upper(w.p[i]))) return true;
        if (inner && (w.p[i] == '.' || w.p[i] == '/' || w.p[i] == ':') && is_letter(w.p[i - 1]) && is_word(w.p[i + 1]))
            return true;
    }
    return w.n > 2 && w.p[w.n - 1] == ')' && w.p[w.n - 2] == '(';
}

/* "and/or", "e.g", "i.e": words, after all. */
static bool is_plain(Str w) {
    static const char *const words[] = {"and/or", "e.g", "i.e", "he/she", "his/her", "yes/no", "a.m", "p.m"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(w, str_of(words[i]))) return true;
    return false;
}

static bool lacks_numbers(Str word, Str text) {
    Str number;
    for (size_t at = 0; number_next(word, &at, &number);)
        if (!has_number(text, number)) return true;
    return false;
}

/* Without what stands around a word: "(backoff_next)," and the "'s" of a name. */
static Str word_core(Str w) {
    while (w.n && !is_word(w.p[0])) w = str_from(w, 1);
    while (w.n && !is_word(w.p[w.n - 1]) && !(str_ends(w, STR("()")) && w.n > 2)) w.n--;
    if (w.n > 2 && w.p[w.n - 2] == '\'' && (w.p[w.n - 1] == 's' || w.p[w.n - 1] == 'S')) w.n -= 2;
    if (str_ends(w, STR("\xE2\x80\x99s"))) w.n -= 4;
    return w;
}

static bool lacks_identifier(Str word, Str text) {
    if (is_plain(word) || !is_identifier(word)) return false;
    if (has_word(text, word, false)) return false;
    return !(str_ends(word, STR("()")) && has_word(text, str_upto(word, word.n - 2), false));
}

/* Its first letter is a capital though it begins no sentence. */
static bool lacks_name(Str word, bool first, Str text) {
    if (first || !word.n || !is_upper(word.p[0]) || str_is(word, "I")) return false;
    return !has_word(text, word, true);
}

static bool is_negation(Str word) {
    static const char *const words[] = {"not", "no",      "never",  "none",  "nothing", "nobody", "neither",
                                        "nor", "without", "cannot", "can't", "nowhere", "unable", "hardly"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(word, str_of(words[i]))) return true;
    return str_ends(word, STR("n't")) || str_ends(word, STR("n\xE2\x80\x99t"));
}

/* The next word of a sentence, as it stands between blanks. False: there is none. */
static bool word_next(Str sentence, size_t *at, Str *out) {
    while (*at < sentence.n && is_blank(sentence.p[*at])) ++*at;
    const size_t from = *at;
    while (*at < sentence.n && !is_blank(sentence.p[*at])) ++*at;
    *out = str_make(sentence.p + from, *at - from);
    return out->n > 0;
}

const char *claim_missing(Str sentence, Str text, Str near) {
    bool first = true;
    Str raw;
    if (lacks_quotes(sentence, text)) return "a quotation that is in no source";
    for (size_t at = 0; word_next(sentence, &at, &raw);) {
        const Str word = word_core(raw);
        const bool item = first && raw.n <= 3 && is_digit(raw.p[0]) && strchr(".)", raw.p[raw.n - 1]);
        if (!word.n || item) continue; /* an item's dash, and the "2." of a list that the writer made */
        if (lacks_numbers(word, text)) return "a number that is in no source";
        if (lacks_numbers(word, near)) return "a number that stands nowhere near";
        if (lacks_identifier(word, text)) return "an identifier that is in no source";
        if (lacks_name(word, first, text)) return "a name that is in no source";
        /* A colon or a full stop within lets a new sentence begin. */
        first = strchr(".!?:", raw.p[raw.n - 1]) != NULL;
    }
    return NULL;
}

bool claim_negates(Str sentence) {
    Str word;
    for (size_t at = 0; word_next(sentence, &at, &word);)
        if (is_negation(word_core(word))) return true;
    return false;
}

void claim_rest(Str sentence, bool numbers, Buf *out) {
    Str word, number;
    for (size_t at = 0; word_next(sentence, &at, &word);) {
        size_t from = 0;
        if (is_negation(word_core(word)) || number_next(word, &from, &number) != numbers) continue;
        buf_add(out, word);
        buf_char(out, ' ');
    }
}

ptrdiff_t claim_line(Str text, Str line) {
    Str rest = text, one;
    while (str_line(&rest, &one)) {
        const Str trimmed = str_trim(one);
        if (str_eq(trimmed, line)) return trimmed.p - text.p;
    }
    return -1;
}
