/* charset.c - see charset.h. */
#include "ingest/charset.h"

#include <dlfcn.h>
#include <errno.h>
#include <iconv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uchardet/uchardet.h>

#include "base/text.h"
#include "base/utf8.h"

enum {
    GUESS_BYTES = 65536, /* are enough, and cost a millisecond */
    RTF_HEAD = 65536,    /* where RTF names its code pages */
    NAME_MAX_BYTES = 31,
};

/* ---- names ---- */

/* What iconv is asked for instead. Lower case. */
static const struct {
    const char *name, *means;
} aliases[] = {
    {"iso-8859-1", "windows-1252"}, {"latin1", "windows-1252"},  {"iso8859-1", "windows-1252"},
    {"us-ascii", "windows-1252"},   {"ascii", "windows-1252"},   {"ansi_x3.4-1968", "windows-1252"},
    {"iso-8859-9", "windows-1254"}, {"gb2312", "gb18030"},       {"gbk", "gb18030"},
    {"shift_jis", "cp932"},         {"shift-jis", "cp932"},      {"x-sjis", "cp932"},
    {"windows-31j", "cp932"},       {"ks_c_5601-1987", "cp949"}, {"euc-kr", "cp949"},
    {"big5", "big5-hkscs"},         {"utf8", "utf-8"},           {"iso-8859-8-i", "iso-8859-8"},
    {"x-mac-roman", "macintosh"},   {"tis-620", "cp874"},        {"unicode-1-1-utf-8", "utf-8"},
};

/* Lower case, aliases resolved; "" when it is no name. */
static void name_make(Str given, char out[32]) {
    size_t n = 0;
    for (; n < given.n && n < NAME_MAX_BYTES; n++) {
        const char c = given.p[n];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && !strchr("-_.:", c ? c : ' ')) break;
        out[n] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    out[n] = 0;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(out, aliases[i].name) == 0) (void)snprintf(out, 32, "%s", aliases[i].means);
}

/* The converter of that name, opened when it is not yet and still may be; NULL when it cannot be had. */
static iconv_t converter(Charsets *c, const char *name) {
    if (!*name) return NULL;
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->open[i].name, name) == 0) return c->open[i].iconv;
    if (c->n == CHARSETS_MAX) return NULL;
    const iconv_t cd = iconv_open("UTF-8", name);
    if (cd == (iconv_t)-1) return NULL;
    (void)snprintf(c->open[c->n].name, sizeof c->open[c->n].name, "%s", name);
    c->open[c->n++].iconv = cd;
    return cd;
}

const char *charset_of_font(int64_t number) {
    static const struct {
        int number;
        const char *name;
    } fonts[] = {{77, "macintosh"}, {128, "cp932"},  {129, "cp949"},  {134, "gb18030"}, {136, "big5-hkscs"},
                 {161, "cp1253"},   {162, "cp1254"}, {163, "cp1258"}, {177, "cp1255"},  {178, "cp1256"},
                 {186, "cp1257"},   {204, "cp1251"}, {222, "cp874"},  {238, "cp1250"}};
    for (size_t i = 0; i < sizeof fonts / sizeof *fonts; i++)
        if (fonts[i].number == number) return fonts[i].name;
    return "";
}

/* ---- preparing ---- */

/* The number behind the control word at s.p[at]. */
static int64_t number_behind(Str s, size_t at) {
    int64_t v = 0;
    for (size_t i = at; i < s.n && i < at + 5 && s.p[i] >= '0' && s.p[i] <= '9'; i++) v = v * 10 + (s.p[i] - '0');
    return v;
}

/* RTF names its code page, and those of its fonts, at its head. */
static void prepare_rtf(Charsets *c, Str bytes) {
    const Str head = str_upto(bytes, RTF_HEAD);
    const ptrdiff_t page = str_find(head, STR("\\ansicpg"));
    char name[32];
    (void)snprintf(name, sizeof name, "cp%d", page >= 0 ? (int)number_behind(head, (size_t)page + 8) : 1252);
    (void)converter(c, name);
    for (Str rest = head;;) {
        const ptrdiff_t at = str_find(rest, STR("\\fcharset"));
        if (at < 0) return;
        rest = str_from(rest, (size_t)at + 9);
        (void)converter(c, charset_of_font(number_behind(rest, 0)));
    }
}

static void prepare_named(Charsets *c, Str name) {
    char made[32];
    if (name.n && (name.p[0] == '"' || name.p[0] == '\'')) name = str_from(name, 1);
    name_make(name, made);
    if (strlen(made) > 2 && strcmp(made, "utf-8") != 0) (void)converter(c, made);
}

static bool ends_nocase(Str s, Str end) { return s.n >= end.n && str_eq_nocase(str_from(s, s.n - end.n), end); }

void charsets_prepare(Charsets *c, Str bytes) {
    const size_t before = c->n;
    for (size_t at = 0; at < bytes.n && c->n < CHARSETS_MAX; at++) {
        const char *p = memchr(bytes.p + at, '=', bytes.n - at);
        if (!p) break;
        at = (size_t)(p - bytes.p);
        const Str behind = str_from(bytes, at + 1), head = str_upto(bytes, at);
        if (ends_nocase(head, STR("charset")) || ends_nocase(head, STR("encoding")))
            prepare_named(c, behind);
        else if (behind.n && behind.p[0] == '?')
            prepare_named(c, str_from(behind, 1));
    }
    if (str_starts(bytes, STR("{\\rtf"))) prepare_rtf(c, bytes);
    (void)converter(c, "windows-1252");
    if (c->n > before + 1 || utf8_valid(bytes)) return;
    charset_guess(bytes, c->guess);
    (void)converter(c, c->guess);
}

void charsets_close(Charsets *c) {
    for (size_t i = 0; i < c->n; i++) (void)iconv_close(c->open[i].iconv);
    *c = (Charsets){0};
}

/* ---- converting ---- */

/* Whatever made it, what is handed out is UTF-8: iconv's own has code points of 31 bits. */
static Err text_take(Arena *a, Str text, Str *out) {
    Buf repaired = {0};
    if (!utf8_valid(text)) {
        utf8_repair(&repaired, text);
        text = buf_str(&repaired);
    }
    Err err = buf_ok(&repaired);
    if (!err) *out = arena_str(a, text);
    if (!err && !out->p) err = arena_error();
    buf_free(&repaired);
    return err;
}

static Err convert(iconv_t cd, Arena *a, Str bytes, Str *out) {
    Buf text = {0};
    char part[4096];
    char *in = (char *)(uintptr_t)bytes.p;
    size_t left = bytes.n;
    (void)iconv(cd, NULL, NULL, NULL, NULL);
    while (left && !text.failed) {
        char *to = part;
        size_t room = sizeof part;
        const size_t code = iconv(cd, &in, &left, &to, &room);
        const int problem = code == (size_t)-1 ? errno : 0;
        buf_add_bytes(&text, part, (size_t)(to - part));
        if (problem != EILSEQ && problem != EINVAL) continue;
        buf_add_z(&text, "\xef\xbf\xbd");
        in++, left--;
    }
    Err err = buf_ok(&text);
    if (!err) err = text_take(a, buf_str(&text), out);
    buf_free(&text);
    return err;
}

static bool has_mark(Str bytes) {
    return str_starts(bytes, STR("\xef\xbb\xbf")) || str_starts(bytes, STR("\xff\xfe")) ||
           str_starts(bytes, STR("\xfe\xff")) || str_starts(bytes, STR("\0\0\xfe\xff"));
}

Err charset_decode(Charsets *c, Arena *a, Str bytes, Str declared, Str *out) {
    char name[32];
    name_make(declared, name);
    if (has_mark(bytes)) {
        TRY(text_decode(a, bytes, out));
        return utf8_valid(*out) ? ERR_OK : text_take(a, *out, out);
    }
    const bool is_utf8 = utf8_valid(bytes);
    const bool stateful = str_starts(str_of(name), STR("iso-2022")) || str_starts(str_of(name), STR("utf-")) ||
                          str_starts(str_of(name), STR("hz"));
    *out = bytes;
    /* A page that says Latin-1 and is UTF-8 all the same was declared wrongly: no other text looks like UTF-8 by
     * chance. */
    if (is_utf8 && (!stateful || strcmp(name, "utf-8") == 0)) return ERR_OK;
    iconv_t cd = strcmp(name, "utf-8") == 0 ? NULL : converter(c, name);
    if (!cd && is_utf8) return ERR_OK;
    if (!cd) cd = converter(c, c->guess);
    if (!cd) cd = converter(c, "windows-1252");
    return cd ? convert(cd, a, bytes, out) : ERR_OK;
}

/* ---- guessing ---- */

static struct {
    pthread_once_t once;
    bool ready;
    uchardet_t (*make)(void);
    void (*drop)(uchardet_t);
    int (*data)(uchardet_t, const char *, size_t);
    void (*end)(uchardet_t);
    const char *(*name)(uchardet_t);
} lib = {.once = PTHREAD_ONCE_INIT}; /* written once, under once */

/* Through memcpy: ISO C has no cast from an object pointer to a function's. */
static bool lib_symbol(void *from, const char *name, void *to, size_t size) {
    void *p = dlsym(from, name);
    if (p) memcpy(to, (const void *)&p, size);
    return p != NULL;
}

/* Loaded when needed: with the C++ library that it brings it would cost every command a millisecond. */
static void lib_load(void) {
    void *from = dlopen("libuchardet.so.0", RTLD_NOW | RTLD_LOCAL);
    lib.ready = from && lib_symbol(from, "uchardet_new", &lib.make, sizeof lib.make) &&
                lib_symbol(from, "uchardet_delete", &lib.drop, sizeof lib.drop) &&
                lib_symbol(from, "uchardet_handle_data", &lib.data, sizeof lib.data) &&
                lib_symbol(from, "uchardet_data_end", &lib.end, sizeof lib.end) &&
                lib_symbol(from, "uchardet_get_charset", &lib.name, sizeof lib.name);
}

void charset_guess(Str bytes, char out[32]) {
    out[0] = 0;
    (void)pthread_once(&lib.once, lib_load);
    if (!lib.ready) return;
    const uchardet_t u = lib.make();
    if (!u) return;
    const Str look = str_upto(bytes, GUESS_BYTES);
    if (lib.data(u, look.p, look.n) == 0) {
        lib.end(u);
        name_make(str_of(lib.name(u)), out);
    }
    lib.drop(u);
}
