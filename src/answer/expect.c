/* expect.c - see expect.h. */
#include "answer/expect.h"

#include "base/ascii.h"
#include "base/english.h"

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || is_upper(c) || is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

/* The next word of *rest; false at the end. *first: it begins a sentence. */
static bool word_next(Str *rest, Str *word, bool *first) {
    size_t at = 0, end;
    *first = false;
    for (; at < rest->n && !is_word(rest->p[at]); at++) *first |= strchr(".!?:\n", rest->p[at]) != NULL;
    for (end = at; end < rest->n && is_word(rest->p[end]); end++) {}
    *word = str_make(rest->p + at, end - at);
    *rest = str_from(*rest, end);
    return word->n > 0;
}

static bool one_of(Str word, const char *const *words, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(word, str_of(words[i]))) return true;
    return false;
}
#define ONE_OF(word, ...)                                                                                              \
    one_of(word, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

Expected expect_of(Str question) {
    Str before = {"", 0}, word;
    bool first;
    while (word_next(&question, &word, &first)) {
        if (str_eq_nocase(word, STR("when"))) return EXPECT_NUMBER;
        if (ONE_OF(word, "who", "whom", "whose", "where")) return EXPECT_NAME;
        if (str_eq_nocase(before, STR("how")) &&
            ONE_OF(word, "many", "much", "long", "old", "far", "large", "tall", "fast"))
            return EXPECT_NUMBER;
        if (ONE_OF(before, "what", "which") &&
            ONE_OF(word, "year", "years", "date", "day", "month", "century", "percentage", "percent", "number", "age"))
            return EXPECT_NUMBER;
        if (ONE_OF(before, "what", "which") && ONE_OF(word, "person", "city", "country", "state", "company", "author"))
            return EXPECT_NAME;
        before = word;
    }
    return EXPECT_ANYTHING;
}

static bool holds_word(Str text, Str wanted) {
    Str word;
    bool first;
    while (word_next(&text, &word, &first))
        if (str_eq_nocase(word, wanted)) return true;
    return false;
}

static bool is_number(Str word) {
    return is_digit(word.p[0]) ||
           ONE_OF(word, "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
                  "twenty", "thirty", "forty", "fifty", "sixty", "hundred", "thousand", "million", "billion", "half",
                  "third", "quarter", "dozen", "once", "twice");
}

float expect_met(Expected expected, Str question, Str text) {
    Str word, rest = text;
    bool first;
    if (expected == EXPECT_ANYTHING) return 0.5f;
    for (bool begin = true; word_next(&rest, &word, &first); begin = false) {
        const bool fits = expected == EXPECT_NUMBER ? is_number(word) : is_upper(word.p[0]) && !first && !begin;
        if (fits && !holds_word(question, word)) return 1;
    }
    return 0;
}

static bool has_digit(Str word) {
    for (size_t i = 0; i < word.n; i++)
        if (is_digit(word.p[i])) return true;
    return false;
}

float expect_lacks(Naming naming, Str question, Str text) {
    Str word, rest = question;
    bool first;
    size_t lacking = 0;
    for (bool begin = true; lacking < 3 && word_next(&rest, &word, &first); begin = false) {
        const bool name = naming == NAMING_ALL && !begin && is_upper(word.p[0]) && !english_only_asks(word);
        const Str before = str_upto(question, (size_t)(word.p - question.p));
        if ((name || has_digit(word)) && !holds_word(text, word) && !holds_word(before, word)) lacking++;
    }
    return (float)lacking;
}
