/* meta.c - see meta.h. */
#include "base/meta.h"

#include <stdio.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/utf8.h"

static bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
static bool is_blank_or_control(char c) { return (unsigned char)c <= ' ' || c == 0x7f; }

/* ---- dates ---- */

typedef struct {
    int year, month, day; /* month and day 0: not told */
    int hour, minute, second;
    int zone; /* minutes east of UTC */
    bool timed;
} Date;

static void skip_blanks(Str *s) {
    while (s->n && is_blank_or_control(s->p[0])) *s = str_from(*s, 1);
}

static bool take_char(Str *s, const char *any_of) {
    if (s->n == 0 || !strchr(any_of, s->p[0]) || s->p[0] == 0) return false;
    *s = str_from(*s, 1);
    return true;
}

/* least to most digits. */
static bool take_number(Str *s, size_t least, size_t most, int *out) {
    size_t n = 0;
    int v = 0;
    while (n < most && n < s->n && is_digit(s->p[n])) v = v * 10 + (s->p[n++] - '0');
    if (n < least) return false;
    *s = str_from(*s, n);
    *out = v;
    return true;
}

/* "Z", "UTC", "+02:00", "+0200", "+02'00'", "+02", or nothing. */
static bool take_zone(Str *s, Date *d) {
    static const struct {
        const char *name;
        int hours;
    } names[] = {{"Z", 0},    {"UTC", 0},  {"GMT", 0},  {"UT", 0},   {"EST", -5}, {"EDT", -4},
                 {"CST", -6}, {"CDT", -5}, {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}};
    skip_blanks(s);
    size_t n = 0;
    while (n < s->n && is_letter(s->p[n])) n++;
    for (size_t i = 0; n && i < sizeof names / sizeof *names; i++) {
        if (!str_eq_nocase(str_upto(*s, n), str_of(names[i].name))) continue;
        d->zone = names[i].hours * 60;
        *s = str_from(*s, n);
        return true;
    }
    const bool minus = s->n && s->p[0] == '-';
    int hours = 0, minutes = 0;
    if (!take_char(s, "+-")) return n == 0;
    if (!take_number(s, 2, 2, &hours)) return false;
    (void)take_char(s, ":'");
    if (!take_number(s, 2, 2, &minutes)) minutes = 0;
    (void)take_char(s, "'");
    if (hours > 14 || minutes > 59) return false;
    d->zone = (minus ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

/* "10:00", "10:00:00.25", "100000" */
static bool take_time(Str *s, Date *d) {
    int fraction;
    if (!take_number(s, 2, 2, &d->hour)) return false;
    (void)take_char(s, ":");
    if (!take_number(s, 2, 2, &d->minute)) return false;
    if ((take_char(s, ":") || (s->n && is_digit(s->p[0]))) && !take_number(s, 2, 2, &d->second)) return false;
    if (take_char(s, ".,") && !take_number(s, 1, 9, &fraction)) return false;
    d->timed = true;
    return true;
}

/* Year first, then as much as there is. */
static bool year_first(Str s, Date *d) {
    if (!take_number(&s, 4, 4, &d->year)) return false;
    bool parted = take_char(&s, "-/.");
    if (!take_number(&s, parted ? 1 : 2, 2, &d->month)) return !parted && s.n == 0;
    parted = take_char(&s, "-/.");
    if (!take_number(&s, parted ? 1 : 2, 2, &d->day)) return !parted && s.n == 0;
    if (s.n == 0) return true;
    if (!take_char(&s, "Tt, ") && !is_digit(s.p[0])) return false;
    skip_blanks(&s);
    if (!take_time(&s, d) || !take_zone(&s, d)) return false;
    skip_blanks(&s);
    return s.n == 0;
}

/* 1 to 12 for an English month, whole or its first three letters; 0: it is none. */
static int month_of(Str word) {
    static const char *const months[] = {"january", "february", "march",     "april",   "may",      "june",
                                         "july",    "august",   "september", "october", "november", "december"};
    for (int i = 0; i < 12; i++)
        if (str_eq_nocase(word, str_of(months[i])) || str_eq_nocase(word, str_make(months[i], 3))) return i + 1;
    return 0;
}

static bool is_weekday(Str word) {
    static const char *const days[] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};
    for (size_t i = 0; i < sizeof days / sizeof *days; i++)
        if (str_eq_nocase(word, str_of(days[i])) || str_eq_nocase(word, str_make(days[i], 3))) return true;
    return false;
}

/* A number is the day, then the year: of two digits in RFC 822. */
static bool number_word(Str word, Date *d) {
    int v = 0;
    Str rest = word;
    if (!take_number(&rest, 1, 4, &v) || rest.n) return false;
    if (word.n <= 2 && d->day == 0) return d->day = v, v > 0;
    if (d->year) return false;
    d->year = word.n == 4 ? v : word.n == 2 ? v + (v < 50 ? 2000 : 1900) : 0;
    return d->year > 0;
}

/* Words and numbers in any order: mail's, asctime's, people's. */
static bool words_first(Str s, Date *d) {
    for (;;) {
        size_t n = 0;
        while (s.n && (is_blank_or_control(s.p[0]) || s.p[0] == ',')) s = str_from(s, 1);
        if (s.n == 0 || s.p[0] == '(') break;
        while (n < s.n && !is_blank_or_control(s.p[n]) && s.p[n] != ',') n++;
        Str word = str_upto(s, n), rest = word;
        s = str_from(s, n);
        const int month = d->month ? 0 : month_of(word);
        if (month)
            d->month = month;
        else if (str_find_char(word, ':') > 0 ? !take_time(&rest, d) || rest.n : !number_word(word, d))
            if (!is_weekday(word) && (!d->timed || !take_zone(&word, d) || word.n)) return false;
    }
    return d->year && d->month && d->day;
}

static bool date_write(const Date *d, char out[32]) {
    int64_t ms = 0;
    char text[64];
    if (d->year < 1000) return false; /* what programs write that know none */
    (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", d->year, d->month ? d->month : 1,
                   d->day ? d->day : 1, d->hour, d->minute, d->second);
    if (clock_parse(str_of(text), 0, &ms)) return false;
    if (d->timed)
        clock_iso(ms - (int64_t)d->zone * 60000, out);
    else
        (void)snprintf(out, 32, "%.*s", d->day ? 10 : d->month ? 7 : 4, text);
    return out[4] == '-' ||
           out[4] == 0; /* by its zone it may be of another year, which must have four digits as well */
}

bool meta_date(Str text, char out[32]) {
    Date d = {0};
    text = str_trim(text);
    if (str_starts(text, STR("D:"))) text = str_from(text, 2);
    if (year_first(text, &d)) return date_write(&d, out);
    d = (Date){0};
    return words_first(text, &d) && date_write(&d, out);
}

/* ---- lines ---- */

static bool is_name_byte(char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_' || c == '-' || c == '.'; }

static bool is_date_name(Str name) { return str_is(name, "created") || str_is(name, "modified"); }

/* The value on one line in line[META_VALUE_MAX]; its length. */
static size_t value_collapse(Str value, char *line) {
    size_t n = 0, size;
    for (size_t i = 0; i < value.n; i += size) {
        const bool blank = is_blank_or_control(value.p[i]);
        size = 1;
        while (!blank && i + size < value.n && ((unsigned char)value.p[i + size] & 0xc0) == 0x80) size++;
        if (blank && (n == 0 || line[n - 1] == ' ')) continue;
        if (n + size > META_VALUE_MAX) break;
        memcpy(line + n, blank ? " " : value.p + i, size);
        n += size;
    }
    while (n && line[n - 1] == ' ') n--;
    return n;
}

/* Whether such a line, or a date of that name, stands there already, or there is no room for one more. */
static bool is_too_much(Str meta, Str name, Str value) {
    size_t lines = 0;
    for (Str rest = meta, n, v; meta_next(&rest, &n, &v); lines++)
        if (str_eq(n, name) && (is_date_name(name) || str_eq(v, value))) return true;
    return lines >= META_LINES_MAX;
}

bool meta_add(Buf *out, Str name, Str value) {
    char line[META_VALUE_MAX], plain[META_NAME_MAX], date[32];
    Str shown = str_make(line, value_collapse(value, line));
    const Str given = str_upto(str_trim(name), META_NAME_MAX);
    for (size_t i = 0; i < given.n; i++) plain[i] = is_name_byte(lower(given.p[i])) ? lower(given.p[i]) : '_';
    const Str kept = str_make(plain, given.n);
    if (kept.n == 0 || shown.n == 0) return true;
    if (is_date_name(kept)) {
        if (!meta_date(shown, date)) return false;
        shown = str_of(date);
    }
    if (is_too_much(buf_str(out), kept, shown)) return true;
    buf_add(out, kept);
    buf_char(out, '\t');
    buf_add(out, shown);
    buf_char(out, '\n');
    return true;
}

bool meta_next(Str *rest, Str *name, Str *value) {
    Str line;
    if (!str_cut(rest, '\n', &line) || !str_cut(&line, '\t', name)) return false;
    *value = line;
    return true;
}

static bool is_line(Str name, Str value) {
    char date[32];
    if (name.n == 0 || name.n > META_NAME_MAX || value.n == 0 || value.n > META_VALUE_MAX) return false;
    for (size_t i = 0; i < name.n; i++)
        if (!is_name_byte(name.p[i])) return false;
    for (size_t i = 0; i < value.n; i++)
        if (is_blank_or_control(value.p[i]) && value.p[i] != ' ') return false;
    return !is_date_name(name) || (meta_date(value, date) && str_is(value, date));
}

bool meta_valid(Str text) {
    size_t lines = 0;
    Str rest = text, name, value;
    if (text.n && (text.p[text.n - 1] != '\n' || !utf8_valid(text))) return false;
    while (rest.n) {
        if (!meta_next(&rest, &name, &value) || !is_line(name, value)) return false;
        lines++;
    }
    return lines <= META_LINES_MAX;
}

Str meta_get(Str meta, const char *name) {
    for (Str n, v; meta_next(&meta, &n, &v);)
        if (str_is(n, name)) return v;
    return STR("");
}

int64_t meta_changed_ms(Str meta) {
    int64_t ms = 0;
    Str date = meta_get(meta, "modified");
    if (date.n == 0) date = meta_get(meta, "created");
    return date.n && clock_parse(date, 0, &ms) == ERR_OK ? ms : 0;
}

/* ---- looking for one ---- */

bool meta_wanted(Str wanted, Str *name, Str *words) {
    const ptrdiff_t sign = str_find_char(wanted, '=');
    if (sign <= 0) return false;
    *name = str_trim(str_upto(wanted, (size_t)sign));
    *words = str_trim(str_from(wanted, (size_t)sign + 1));
    return name->n && words->n;
}

static bool is_word_byte(char c) { return is_letter(c) || is_digit(c) || c == '_' || (unsigned char)c >= 0x80; }

/* "doe" is in "Jane Doe", "core" is not in "score". */
static bool has_words(Str value, Str words) {
    for (size_t i = 0; words.n <= value.n && i <= value.n - words.n; i++) {
        if (!str_eq_nocase(str_make(value.p + i, words.n), words)) continue;
        const size_t end = i + words.n;
        const bool begins = i == 0 || !is_word_byte(value.p[i - 1]) || !is_word_byte(words.p[0]);
        const bool ends = end == value.n || !is_word_byte(value.p[end]) || !is_word_byte(words.p[words.n - 1]);
        if (begins && ends) return true;
    }
    return false;
}

bool meta_fits(Str wanted, Str meta) {
    Str name, words;
    if (!meta_wanted(wanted, &name, &words)) return false;
    for (Str n, v; meta_next(&meta, &n, &v);)
        if (str_eq_nocase(n, name) && has_words(v, words)) return true;
    return false;
}
