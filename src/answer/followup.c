/* followup.c - see followup.h. */
#include "answer/followup.h"

#include "base/ascii.h"
#include "base/english.h"

enum { TOPIC_WORDS = 12, OWN_WORDS = 2, ANSWER_BYTES = 400, WRITTEN_MAX = 4 << 10 };

static const char rules[] = "You put the last question of a conversation so that it can be understood without the "
                            "conversation: replace words such as "
                            "\"it\" and \"they\" by what they mean, and add what is left unsaid. Do not answer it. "
                            "Write the question only, on one line.";

/* ---- by words ---- */

static bool word_next(Str text, size_t *at, Str *out) {
    while (*at < text.n && is_blank(text.p[*at])) ++*at;
    size_t from = *at;
    while (*at < text.n && !is_blank(text.p[*at])) ++*at;
    size_t to = *at;
    const bool any = to > from;
    while (from < to && strchr("\"'`([{,.;:?!", text.p[from])) from++;
    while (to > from && strchr("\"'`)]},.;:?!", text.p[to - 1])) to--;
    *out = str_make(text.p + from, to - from);
    return any;
}

static bool points_back(Str word) {
    static const char *const words[] = {"it",    "its",   "they", "them", "their", "this",  "that",  "these",
                                        "those", "he",    "him",  "his",  "she",   "her",   "hers",  "one",
                                        "ones",  "there", "then", "same", "else",  "other", "others"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(word, str_of(words[i]))) return true;
    return false;
}

/* Words that a follow-up has and that say nothing either. */
static bool says_nothing(Str word) {
    return word.n == 0 || points_back(word) || english_only_asks(word) || str_eq_nocase(word, STR("also")) ||
           str_eq_nocase(word, STR("but")) || str_eq_nocase(word, STR("not")) || str_eq_nocase(word, STR("no"));
}

static bool has_word(Str text, Str word) {
    Str one;
    for (size_t at = 0; word_next(text, &at, &one);)
        if (str_eq_nocase(one, word)) return true;
    return false;
}

static bool needs_topic(Str question) {
    size_t own = 0;
    Str word;
    for (size_t at = 0; word_next(question, &at, &word);) {
        if (points_back(word)) return true;
        own += !says_nothing(word);
    }
    return own < OWN_WORDS;
}

static Err by_words(Arena *a, Str before, Str question, Str *out) {
    Buf b = {0};
    Str word;
    size_t added = 0;
    buf_add(&b, question);
    for (size_t at = 0; added < TOPIC_WORDS && word_next(before, &at, &word);) {
        if (says_nothing(word) || has_word(buf_str(&b), word)) continue;
        buf_char(&b, ' ');
        buf_add(&b, word);
        added++;
    }
    const Err err = buf_ok(&b);
    *out = arena_str(a, buf_str(&b));
    buf_free(&b);
    return err ? err : out->p ? ERR_OK : arena_error();
}

/* ---- by a writer ---- */

static bool hear(void *ctx, Str piece) {
    Buf *b = ctx;
    buf_add(b, piece);
    return b->n < WRITTEN_MAX;
}

static Err prompt_of(Arena *a, const Turn *turns, size_t n, Str question, Prompt *out) {
    Buf b = {0};
    buf_add_z(&b, "Conversation:\n");
    for (size_t i = 0; i < n; i++) {
        buf_add_z(&b, "> Q: ");
        prompt_quote(&b, turns[i].question, "> ");
        buf_add_z(&b, "\n> A: ");
        prompt_quote(&b, turns[i].answer.n ? str_upto(turns[i].answer, ANSWER_BYTES) : STR("(none)"), "> ");
        buf_char(&b, '\n');
    }
    buf_add_z(&b, "\nLast question: ");
    prompt_quote(&b, str_trim(question), "");
    Err err = buf_ok(&b);
    out->system = STR(rules);
    out->user = arena_str(a, buf_str(&b));
    out->plain = arena_printf(a, "%s\n\n%.*s\nThe question by itself:", rules, (int)b.n, b.p ? b.p : "");
    buf_free(&b);
    return err ? err : out->user.p && out->plain.p ? ERR_OK : arena_error();
}

/* The question in what was written: behind what was thought aloud, one line, without quotation marks around it. */
static Str question_in(Str written) {
    const ptrdiff_t thought = str_find(written, STR("</think>"));
    Str line, rest = str_trim(thought >= 0 ? str_from(written, (size_t)thought + 8) : written);
    if (!str_line(&rest, &line)) return STR("");
    line = str_trim(line);
    if (line.n >= 2 && line.p[0] == '"' && line.p[line.n - 1] == '"') line = str_make(line.p + 1, line.n - 2);
    return line.n > FOLLOWUP_BYTES_MAX ? STR("") : line;
}

static Err by_writer(Arena *a, const Turn *turns, size_t n, Str question, Writer *w, const Deadline *deadline,
                     Str *out) {
    Prompt prompt;
    Buf written = {0};
    TRY(prompt_of(a, turns, n, question, &prompt));
    const WriterJob job = {.prompt = &prompt, .sink = hear, .ctx = &written, .deadline = deadline};
    Err err = writer_write(w, &job);
    if (!err) err = buf_ok(&written);
    *out = err ? STR("") : arena_str(a, question_in(buf_str(&written)));
    buf_free(&written);
    return err ? err : out->p ? ERR_OK : arena_error();
}

Err followup_question(Arena *a, const Turn *turns, size_t n, Str question, Writer *writer, const Deadline *deadline,
                      Str *out) {
    *out = question;
    if (!n) return ERR_OK;
    if (n > FOLLOWUP_TURNS) turns += n - FOLLOWUP_TURNS, n = FOLLOWUP_TURNS;
    if (writer && !writer->kind->quotes) {
        TRY(by_writer(a, turns, n, question, writer, deadline, out));
        if (out->n) return ERR_OK; /* else it wrote nothing of use */
        *out = question;
    }
    return needs_topic(question) ? by_words(a, turns[n - 1].question, question, out) : ERR_OK;
}
