/* format_rtf.c - Rich Text Format (Microsoft's specification 1.9.1), read by its own rules: groups, control words and
 * destinations; what is no text (fonts, pictures, fields' instructions) is skipped as a whole.
 *
 * Headings are paragraphs with an outline level, or of a style called "heading N". Bytes (\'e9) are of the font's code
 * page, else of the document's; \u comes with so many bytes for old readers behind it as \uc says. Notes stand behind
 * their paragraph.
 */
#include <stdio.h>

#include "base/utf8.h"
#include "ingest/format.h"
#include "ingest/office.h"

enum { GROUPS_MAX = 1000, STYLES_MAX = 1000, FONTS_MAX = 1000, WORD_MAX = 32, BIN_MAX = 1 << 30 };

/* From TITLE on: of the group "info". */
typedef enum { TEXT, NOTE, SKIPPED, FONTS, STYLES, TITLE, AUTHOR, SUBJECT, KEYWORDS, CREATED, MODIFIED } Destination;

typedef struct {
    Destination to;
    int64_t font;
    int64_t skip_behind; /* \uc: bytes that stand for a \u */
} Group;

typedef struct {
    Flow *f;
    Arena *a;
    Str rest;
    Group groups[GROUPS_MAX];
    size_t depth; /* groups open; the current one is groups[depth] */
    char page_name[32];
    const char *font_charsets[FONTS_MAX];
    int style_levels[STYLES_MAX]; /* 1 to 9; 0: no heading */
    int64_t style;                /* of the entry of the style sheet, or of the paragraph */
    int64_t font;                 /* of the entry of the font table */
    Buf bytes;                    /* of a code page, not yet converted */
    Buf words;                    /* of the paragraph */
    Buf notes;                    /* of the paragraph */
    Buf name;                     /* of a style, or what the document says of itself */
    int64_t when[6];              /* of a date of "info": year, month, day, hour, minute, second */
    int level;
    int64_t ignore; /* characters behind a \u that stand for it */
    uint32_t high;  /* first half of a pair */
    bool in_table, table_open, fresh_group, starred;
    OfficeTable table;
} Rtf;

static Group *group(Rtf *r) { return &r->groups[r->depth]; }

static Buf *target(Rtf *r) {
    const Destination to = group(r)->to;
    if (to == NOTE) return &r->notes;
    return to == TEXT ? &r->words : to >= STYLES && to < CREATED ? &r->name : NULL;
}

/* ---- characters ---- */

static void bytes_flush(Rtf *r) {
    Buf *to = target(r);
    Str text = STR("");
    if (r->bytes.n == 0) return;
    const int64_t font = group(r)->font;
    const char *charset = font >= 0 && font < FONTS_MAX && r->font_charsets[font] ? r->font_charsets[font] : "";
    const Str name = *charset ? str_of(charset) : str_of(r->page_name);
    if (to && charset_decode(&r->f->charsets, r->a, buf_str(&r->bytes), name, &text) == ERR_OK) buf_add(to, text);
    buf_clear(&r->bytes);
}

static void byte_add(Rtf *r, char c) {
    if (r->ignore > 0) {
        r->ignore--;
        return;
    }
    if (target(r)) buf_char(&r->bytes, c);
}

static void text_add(Rtf *r, const char *z) {
    bytes_flush(r);
    if (target(r)) buf_add_z(target(r), z);
}

static void unicode_add(Rtf *r, int64_t value) {
    char utf8[4];
    bytes_flush(r);
    r->ignore = group(r)->skip_behind;
    uint32_t c = (uint32_t)(value < 0 ? value + 65536 : value) & 0xffff;
    if (c >= 0xd800 && c < 0xdc00) {
        r->high = c;
        return;
    }
    if (c >= 0xdc00 && c < 0xe000) c = r->high ? 0x10000 + ((r->high - 0xd800) << 10) + (c - 0xdc00) : 0xfffd;
    r->high = 0;
    if (target(r) && c) buf_add_bytes(target(r), utf8, utf8_encode(c, utf8));
}

/* ---- paragraphs and rows ---- */

static void paragraph_put(Rtf *r, Str words) {
    if (str_trim(words).n == 0) return;
    flow_paragraph(r->f);
    flow_lines(r->f, words);
    flow_paragraph(r->f);
}

static void paragraph_end(Rtf *r) {
    bytes_flush(r);
    const Str words = buf_str(&r->words);
    if (r->in_table) {
        buf_char(&r->words, ' ');
        return;
    }
    const int64_t style = r->style;
    const int level = r->level ? r->level : style >= 0 && style < STYLES_MAX ? r->style_levels[style] : 0;
    if (level)
        flow_heading(r->f, level, words);
    else
        paragraph_put(r, words);
    paragraph_put(r, buf_str(&r->notes));
    if (str_trim(words).n || r->notes.n) r->table_open = false;
    buf_clear(&r->words);
    buf_clear(&r->notes);
}

static void table_open(Rtf *r) {
    if (!r->table_open) office_table_begin(&r->table, r->f);
    r->table_open = true;
}

static void cell_end(Rtf *r) {
    bytes_flush(r);
    table_open(r);
    office_cell(&r->table, buf_str(&r->words));
    buf_clear(&r->words);
}

static void row_end(Rtf *r) {
    bytes_flush(r);
    office_row(&r->table, false, true);
}

/* ---- destinations ---- */

static const struct {
    const char *word;
    Destination to;
} destinations[] = {
    {"fonttbl", FONTS},     {"stylesheet", STYLES},         {"footnote", NOTE},      {"title", TITLE},
    {"author", AUTHOR},     {"subject", SUBJECT},           {"keywords", KEYWORDS},  {"creatim", CREATED},
    {"revtim", MODIFIED},   {"colortbl", SKIPPED},          {"info", SKIPPED},       {"pict", SKIPPED},
    {"objdata", SKIPPED},   {"objclass", SKIPPED},          {"header", SKIPPED},     {"headerl", SKIPPED},
    {"headerr", SKIPPED},   {"headerf", SKIPPED},           {"footer", SKIPPED},     {"footerl", SKIPPED},
    {"footerr", SKIPPED},   {"footerf", SKIPPED},           {"fldinst", SKIPPED},    {"themedata", SKIPPED},
    {"listtable", SKIPPED}, {"listoverridetable", SKIPPED}, {"rsidtbl", SKIPPED},    {"xmlnstbl", SKIPPED},
    {"generator", SKIPPED}, {"filetbl", SKIPPED},           {"revtbl", SKIPPED},     {"datastore", SKIPPED},
    {"pntext", SKIPPED},    {"bkmkstart", SKIPPED},         {"bkmkend", SKIPPED},    {"xe", SKIPPED},
    {"tc", SKIPPED},        {"nonshppict", SKIPPED},        {"annotation", SKIPPED}, {"atnid", SKIPPED},
    {"atnauthor", SKIPPED}, {"latentstyles", SKIPPED},      {"listtext", SKIPPED},
};

/* True when the word begins a destination; it holds until its group ends. */
static bool destination_begin(Rtf *r, Str word) {
    for (size_t i = 0; i < sizeof destinations / sizeof *destinations; i++) {
        if (!str_is(word, destinations[i].word)) continue;
        /* What is skipped holds nothing but what is skipped, save what "info" tells of the document. */
        if (group(r)->to == SKIPPED && destinations[i].to < TITLE) return true;
        bytes_flush(r);
        if (destinations[i].to == NOTE && r->notes.n) buf_char(&r->notes, '\n');
        group(r)->to = destinations[i].to;
        buf_clear(&r->name);
        memset(r->when, 0, sizeof r->when);
        return true;
    }
    return false;
}

/* An entry of the style sheet ends with ';' or its group: "heading 2" names a level. */
static void style_name_end(Rtf *r) {
    Str name = str_trim(buf_str(&r->name));
    if (str_ends(name, STR(";"))) name.n--;
    const bool fits = name.n == 9 && str_eq_nocase(str_upto(name, 8), STR("heading ")) && r->style >= 0;
    if (fits && r->style < STYLES_MAX && name.p[8] >= '1' && name.p[8] <= '9')
        r->style_levels[r->style] = name.p[8] - '0';
    buf_clear(&r->name);
    r->style = 0;
}

/* A group of "info" ended. */
static void info_end(Rtf *r, Destination of) {
    static const char *const names[] = {[AUTHOR] = "author",
                                        [SUBJECT] = "subject",
                                        [KEYWORDS] = "keywords",
                                        [CREATED] = "created",
                                        [MODIFIED] = "modified"};
    const Str text = buf_str(&r->name);
    char date[64];
    if (of == TITLE) {
        if (r->f->title.n) return;
        r->f->title = flow_collapse(r->a, text);
        if (!r->f->title.p) r->f->title = STR("");
    } else if (of < CREATED) {
        flow_meta(r->f, names[of], text);
    } else {
        (void)snprintf(date, sizeof date, "%04d-%02d-%02d %02d:%02d:%02d", (int)r->when[0], (int)r->when[1],
                       (int)r->when[2], (int)r->when[3], (int)r->when[4], (int)r->when[5]);
        flow_meta(r->f, names[of], str_of(date));
    }
}

static Err group_begin(Rtf *r) {
    bytes_flush(r);
    if (r->depth + 1 == GROUPS_MAX) return err_set(ERR_LIMIT, "groups nested over %d deep", GROUPS_MAX);
    r->groups[r->depth + 1] = r->groups[r->depth];
    r->depth++;
    r->fresh_group = true;
    return ERR_OK;
}

static void group_end(Rtf *r) {
    bytes_flush(r);
    const Destination to = group(r)->to;
    if (to == STYLES) style_name_end(r);
    if (to >= TITLE && r->depth && r->groups[r->depth - 1].to != to) info_end(r, to);
    if (r->depth) r->depth--;
    r->ignore = 0;
}

/* ---- control words ---- */

/* Words that stand for characters. */
static bool character_word(Rtf *r, Str word) {
    static const struct {
        const char *word, *text;
    } known[] = {{"tab", " "},
                 {"line", "\n"},
                 {"emdash", "\xe2\x80\x94"},
                 {"endash", "\xe2\x80\x93"},
                 {"bullet", "\xe2\x80\xa2"},
                 {"lquote", "\xe2\x80\x98"},
                 {"rquote", "\xe2\x80\x99"},
                 {"ldblquote", "\xe2\x80\x9c"},
                 {"rdblquote", "\xe2\x80\x9d"},
                 {"emspace", " "},
                 {"enspace", " "}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_is(word, known[i].word)) return text_add(r, known[i].text), true;
    return false;
}

/* A part of a date of "info". */
static void when_word(Rtf *r, Str word, int64_t number) {
    static const char *const words[] = {"yr", "mo", "dy", "hr", "min", "sec"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_is(word, words[i]) && number >= 0 && number <= 9999) r->when[i] = number;
}

static void word_apply(Rtf *r, Str word, bool has_number, int64_t number) {
    if (str_is(word, "u") && has_number) return unicode_add(r, number);
    if (str_is(word, "uc")) group(r)->skip_behind = number < 0 || number > 10 ? 1 : number;
    if (str_is(word, "ansicpg") && number > 0 && number < 100000)
        (void)snprintf(r->page_name, sizeof r->page_name, "cp%d", (int)number);
    if (str_is(word, "f")) bytes_flush(r), group(r)->font = number, r->font = number;
    if (str_is(word, "fcharset") && group(r)->to == FONTS && r->font >= 0 && r->font < FONTS_MAX)
        r->font_charsets[r->font] = charset_of_font(number);
    if (str_is(word, "s")) r->style = number;
    if (group(r)->to == CREATED || group(r)->to == MODIFIED) when_word(r, word, number);
    if (group(r)->to == NOTE && str_is(word, "par")) bytes_flush(r), buf_char(&r->notes, '\n');
    if (group(r)->to != TEXT) return;
    if (str_is(word, "par") || str_is(word, "sect") || str_is(word, "page")) paragraph_end(r);
    if (str_is(word, "pard")) r->level = 0, r->style = 0, r->in_table = false;
    if (str_is(word, "intbl")) table_open(r), r->in_table = true;
    if (str_is(word, "outlinelevel")) r->level = number >= 0 && number < 9 ? (int)number + 1 : 0;
    if (str_is(word, "cell") || str_is(word, "nestcell")) cell_end(r);
    if (str_is(word, "row") || str_is(word, "nestrow")) row_end(r);
}

/* "\word-12 " at r->rest, behind the backslash. */
static void control_word(Rtf *r) {
    size_t n = 0;
    const Str s = r->rest;
    int64_t number = 0;
    while (n < s.n && n < WORD_MAX && ((s.p[n] | 0x20) >= 'a' && (s.p[n] | 0x20) <= 'z')) n++;
    const Str word = str_upto(s, n);
    size_t i = n;
    const bool negative = i < s.n && s.p[i] == '-';
    i += negative;
    const size_t digits = i;
    for (; i < s.n && i < digits + 10 && s.p[i] >= '0' && s.p[i] <= '9'; i++) number = number * 10 + (s.p[i] - '0');
    const bool has_number = i > digits;
    if (!has_number) i = n;
    if (i < s.n && s.p[i] == ' ') i++;
    r->rest = str_from(s, i);
    if (negative) number = -number;
    if (str_is(word, "bin") && number > 0) {
        r->rest = str_from(r->rest, number < BIN_MAX ? (size_t)number : BIN_MAX);
        return;
    }
    const bool first = r->fresh_group, starred = r->starred;
    r->fresh_group = r->starred = false;
    if (first && destination_begin(r, word)) return;
    /* "{\*" says that who does not know the word shall skip the group. */
    if (first && starred && !str_is(word, "shppict")) {
        bytes_flush(r);
        group(r)->to = SKIPPED;
        return;
    }
    if (!character_word(r, word)) word_apply(r, word, has_number, number);
}

/* Behind a backslash. */
static void control(Rtf *r) {
    const char c = r->rest.n ? r->rest.p[0] : ' ';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') return control_word(r);
    r->rest = str_from(r->rest, 1);
    if (c == '*') {
        r->starred = true;
        return; /* still at the head of the group */
    }
    r->fresh_group = false;
    if (c == '\'') {
        const int high = r->rest.n > 1 ? hex_value(r->rest.p[0]) : -1, low = high >= 0 ? hex_value(r->rest.p[1]) : -1;
        if (low >= 0) byte_add(r, (char)(high << 4 | low));
        r->rest = str_from(r->rest, low >= 0 ? 2 : 0);
    } else if (c == '~') {
        text_add(r, " ");
    } else if (c == '_') {
        text_add(r, "-");
    } else if (c == '\n' || c == '\r') {
        if (group(r)->to == TEXT) paragraph_end(r);
    } else if (c == '\\' || c == '{' || c == '}') {
        byte_add(r, c);
    }
}

static Err rtf_read(Rtf *r) {
    while (r->rest.n && !r->f->over) {
        const char c = r->rest.p[0];
        r->rest = str_from(r->rest, 1);
        if (c == '{') {
            TRY(group_begin(r));
            continue;
        }
        if (c == '\\') {
            control(r);
            continue;
        }
        r->fresh_group = false;
        if (c == '}')
            group_end(r);
        else if (c != '\r' && c != '\n' && c != 0)
            byte_add(r, c);
    }
    r->in_table = false;
    paragraph_end(r);
    TRY(buf_ok(&r->words));
    TRY(buf_ok(&r->bytes));
    TRY(buf_ok(&r->notes));
    return buf_ok(&r->name);
}

Err format_rtf(Flow *f, Str bytes) {
    if (!str_starts(bytes, STR("{\\rtf"))) return err_set(ERR_CORRUPT, "it does not begin as RTF does");
    Rtf *r = arena_new(f->arena, Rtf);
    if (!r) return arena_error();
    *r = (Rtf){.f = f, .a = f->arena, .rest = bytes, .page_name = "windows-1252"};
    r->groups[0].skip_behind = 1;
    const Err err = rtf_read(r);
    buf_free(&r->bytes);
    buf_free(&r->words);
    buf_free(&r->notes);
    buf_free(&r->name);
    return err;
}
