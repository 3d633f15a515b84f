/* twist.c - see twist.h. */
#include "answer/twist.h"

/* ASCII alone: English is read, and an apostrophe may be a typographic one. */
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* The next word; what stands behind an apostrophe is one of its own: "isn't" is "isn" and "t". */
static bool word_next(Str *rest, Str *word) {
    size_t at = 0, end;
    while (at < rest->n && !is_letter(rest->p[at])) at++;
    for (end = at; end < rest->n && is_letter(rest->p[end]); end++) {}
    *word = str_make(rest->p + at, end - at);
    *rest = str_from(*rest, end);
    return word->n > 0;
}

static bool is_negation(Str word) {
    static const char *const words[] = {
        "not",    "no",     "never",   "isn",  "without", "except", "nor",   "neither", "none",   "cannot", "hardly",
        "unable", "didn",   "doesn",   "wasn", "weren",   "aren",   "don",   "couldn",  "wouldn", "hasn",   "haven",
        "hadn",   "nobody", "nothing", "lack", "failed",  "fail",   "avoid", "prevent", "refuse", "refused"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(word, str_of(words[i]))) return true;
    return false;
}

static bool has_negation(Str text) {
    Str word;
    while (word_next(&text, &word))
        if (is_negation(word)) return true;
    return false;
}

bool twist_denies(Str question, Str text) { return has_negation(question) && !has_negation(text); }

/* ---- opposites ---- */

static const char *const opposites[][2] = {
    {"increase", "decrease"},
    {"increased", "decreased"},
    {"rise", "fall"},
    {"before", "after"},
    {"first", "last"},
    {"north", "south"},
    {"east", "west"},
    {"northern", "southern"},
    {"eastern", "western"},
    {"largest", "smallest"},
    {"highest", "lowest"},
    {"more", "less"},
    {"most", "least"},
    {"maximum", "minimum"},
    {"best", "worst"},
    {"win", "lose"},
    {"won", "lost"},
    {"begin", "end"},
    {"began", "ended"},
    {"start", "end"},
    {"started", "ended"},
    {"open", "close"},
    {"opened", "closed"},
    {"accept", "reject"},
    {"accepted", "rejected"},
    {"allow", "prohibit"},
    {"allowed", "prohibited"},
    {"support", "oppose"},
    {"supported", "opposed"},
    {"positive", "negative"},
    {"legal", "illegal"},
    {"male", "female"},
    {"men", "women"},
    {"rich", "poor"},
    {"high", "low"},
    {"higher", "lower"},
    {"older", "younger"},
    {"oldest", "youngest"},
    {"early", "late"},
    {"earlier", "later"},
    {"internal", "external"},
    {"buy", "sell"},
    {"import", "export"},
    {"strong", "weak"},
    {"upper", "lower"},
    {"success", "failure"},
    {"succeed", "fail"},
    {"create", "destroy"},
    {"built", "destroyed"},
    {"agree", "disagree"},
    {"agreed", "disagreed"},
    {"major", "minor"},
    {"common", "rare"},
    {"hot", "cold"},
    {"fast", "slow"},
    {"long", "short"},
    {"include", "exclude"},
    {"included", "excluded"},
    {"public", "private"},
    {"left", "right"},
    {"above", "below"},
    {"inside", "outside"},
    {"gain", "lose"},
    {"gained", "lost"},
    {"war", "peace"},
    {"birth", "death"},
    {"born", "died"},
    {"join", "leave"},
    {"joined", "left"},
    {"raise", "lower"},
    {"raised", "lowered"},
    {"finite", "infinite"},
    {"possible", "impossible"},
    {"active", "passive"},
    {"winter", "summer"},
};

/* The word itself, or with an s behind it. */
static bool is_word(Str word, Str wanted) {
    return str_eq_nocase(word, wanted) || (word.n == wanted.n + 1 && (word.p[wanted.n] | 0x20) == 's' &&
                                           str_eq_nocase(str_upto(word, wanted.n), wanted));
}

static bool has_word(Str text, Str wanted) {
    Str word;
    while (word_next(&text, &word))
        if (is_word(word, wanted)) return true;
    return false;
}

bool twist_opposes(Str question, Str text) {
    for (size_t i = 0; i < sizeof opposites / sizeof *opposites; i++)
        for (int side = 0; side < 2; side++) {
            const Str asked = str_of(opposites[i][side]), other = str_of(opposites[i][1 - side]);
            if (has_word(question, asked) && !has_word(question, other) && !has_word(text, asked) &&
                has_word(text, other))
                return true;
        }
    return false;
}
