/* term.c - colours, links, widths, and other people's bytes made safe to show. */
#include "cli/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

enum { TAB_COLUMNS = 4, WIDTH_DEFAULT = 80, WIDTH_MIN = 20, WIDTH_MAX = 1000 };

size_t term_width(int fd) {
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= WIDTH_MIN) return size.ws_col;
    int64_t columns = 0;
    if (str_to_i64(str_of(getenv("COLUMNS")), &columns) && columns >= WIDTH_MIN && columns <= WIDTH_MAX)
        return (size_t)columns;
    return WIDTH_DEFAULT;
}

Term term_of(int fd, const char *color) {
    const char *no_color = getenv("NO_COLOR"), *kind = getenv("TERM");
    Term t = {.tty = isatty(fd) == 1, .width = term_width(fd)};
    bool dumb = kind && str_is(str_of(kind), "dumb");
    if (str_is(str_of(color), "always")) t.color = true;
    if (str_is(str_of(color), "auto")) t.color = t.tty && !dumb && !(no_color && no_color[0]);
    /* Links carry no colour, but whoever turns colours off wants plain text, and a pipe never wants links. */
    t.links = t.tty && t.color && !dumb;
    return t;
}

static const char *const style_codes[] = {
    [STYLE_PATH] = "\033[1;35m", [STYLE_LINE] = "\033[32m", [STYLE_SCORE] = "\033[33m",
    [STYLE_DIM] = "\033[2m",     [STYLE_BOLD] = "\033[1m",  [STYLE_MATCH] = "\033[1;31m",
    [STYLE_GOOD] = "\033[32m",   [STYLE_WARN] = "\033[33m", [STYLE_BAD] = "\033[1;31m",
};

void style_on(Buf *b, const Term *t, Style style) {
    if (t->color) buf_add_z(b, style_codes[style]);
}

void style_off(Buf *b, const Term *t) {
    if (t->color) buf_add_z(b, "\033[0m");
}

void style_add(Buf *b, const Term *t, Style style, const char *z) {
    style_on(b, t, style);
    buf_add_z(b, z);
    style_off(b, t);
}

static bool cp_is_control(uint32_t cp) { return cp < 0x20 || (cp >= 0x7F && cp <= 0x9F); }

/* Characters that change how others are shown, or show nothing and are still read by programs: bidirectional marks,
 * embeddings and isolates ("Trojan Source", CVE-2021-42574), line and paragraph separators, tags. Joiners stay: Persian
 * and emoji need them. */
static bool cp_is_deceptive(uint32_t cp) {
    return cp == 0x061C || cp == 0x200E || cp == 0x200F || (cp >= 0x2028 && cp <= 0x202E) ||
           (cp >= 0x2066 && cp <= 0x2069) || (cp >= 0xE0000 && cp <= 0xE007F);
}

/* One code point, safe; n bytes at p are its source. Tabs and line feeds are the caller's. */
static void safe_cp(Buf *b, Str source, uint32_t cp) {
    char bytes[4];
    if (cp < 0x20) {
        buf_add_bytes(b, bytes, utf8_encode(0x2400 + cp, bytes));
    } else if (cp == 0x7F) {
        buf_add_z(b, "␡");
    } else if (cp_is_control(cp) || cp_is_deceptive(cp)) {
        buf_printf(b, "<U+%04X>", (unsigned)cp);
    } else if (cp == UTF8_REPLACEMENT) { /* also what an ill-formed byte decodes to */
        buf_add_z(b, "\xEF\xBF\xBD");
    } else {
        buf_add(b, source);
    }
}

void safe_text(Buf *b, Str s) {
    while (s.n) {
        uint32_t cp = 0;
        size_t n = utf8_decode(s, &cp);
        if (cp == '\n' || cp == '\t') {
            buf_char(b, (char)cp);
        } else {
            safe_cp(b, str_upto(s, n), cp);
        }
        s = str_from(s, n);
    }
}

static bool path_is_plain(Str path) {
    for (Str s = path; s.n;) {
        uint32_t cp = 0;
        size_t n = utf8_decode(s, &cp);
        if (cp_is_control(cp) || cp_is_deceptive(cp) || cp == UTF8_REPLACEMENT) return false;
        s = str_from(s, n);
    }
    return true;
}

void safe_path(Buf *b, Str path) {
    if (path_is_plain(path)) {
        buf_add(b, path);
        return;
    }
    buf_char(b, '"');
    for (Str s = path; s.n;) {
        uint32_t cp = 0;
        size_t n = utf8_decode(s, &cp);
        if (cp == '\n' || cp == '\t' || cp == '\r') {
            buf_add_z(b, cp == '\n' ? "\\n" : cp == '\t' ? "\\t" : "\\r");
        } else if (cp == '"' || cp == '\\') {
            buf_printf(b, "\\%c", (char)cp);
        } else if (cp_is_control(cp) || cp_is_deceptive(cp) || cp == UTF8_REPLACEMENT) {
            for (size_t i = 0; i < n; i++) buf_printf(b, "\\%03o", (unsigned)(unsigned char)s.p[i]);
        } else {
            buf_add(b, str_upto(s, n));
        }
        s = str_from(s, n);
    }
    buf_char(b, '"');
}

/* The bytes that the next code point is shown as, into piece; returns its columns. */
static size_t safe_piece(Buf *piece, Str line, size_t at, size_t column, size_t *bytes) {
    uint32_t cp = 0;
    Str rest = str_from(line, at);
    *bytes = utf8_decode(rest, &cp);
    buf_clear(piece);
    if (cp == '\t') {
        size_t spaces = TAB_COLUMNS - column % TAB_COLUMNS;
        for (size_t i = 0; i < spaces; i++) buf_char(piece, ' ');
        return spaces;
    }
    safe_cp(piece, str_upto(rest, *bytes), cp);
    return utf8_width(buf_str(piece));
}

/* Bytes of line that fit into width columns less one for "…"; all of it when everything fits. */
static size_t line_fit(Str line, size_t width, bool *cut) {
    Buf piece = {0};
    size_t column = 0, keep = 0, at = 0;
    *cut = false;
    while (at < line.n && !*cut) {
        size_t bytes = 0;
        column += safe_piece(&piece, line, at, column, &bytes);
        at += bytes;
        if (column + 1 <= width) keep = at;
        if (column > width) *cut = true;
    }
    buf_free(&piece);
    return *cut ? keep : line.n;
}

void safe_line(Buf *b, const Term *t, Str line, size_t width, MatchFn match, const void *ctx) {
    bool cut = false;
    if (width) line = str_upto(line, line_fit(line, width, &cut));
    Buf piece = {0};
    size_t column = 0, marked_until = 0;
    for (size_t at = 0; at < line.n;) {
        size_t hit = match && t->color && at >= marked_until ? match(ctx, line, at) : 0;
        if (hit) {
            marked_until = at + hit < line.n ? at + hit : line.n;
            style_on(b, t, STYLE_MATCH);
        }
        size_t bytes = 0;
        column += safe_piece(&piece, line, at, column, &bytes);
        buf_add(b, buf_str(&piece));
        at += bytes;
        if (marked_until && at >= marked_until) {
            style_off(b, t);
            marked_until = 0;
        }
    }
    if (cut) buf_add_z(b, "…");
    buf_free(&piece);
}

/* A URI may stand in an escape sequence only when nothing in it could end the sequence. */
static bool uri_is_printable(Str uri) {
    for (size_t i = 0; i < uri.n; i++)
        if (uri.p[i] <= ' ' || uri.p[i] >= 0x7F) return false;
    return true;
}

/* OSC 8 wants the host in file:// links, so that a terminal on another machine does not open its own file of that
 * name. No fragment with the line: GLib, which opens such links on most Linux desktops, refuses local URIs with '#'. */
void path_link(Buf *b, const Term *t, Str uri, Str shown) {
    bool link = t->links && str_starts(uri, STR("file:///")) && uri_is_printable(uri);
    if (link) {
        char host[256] = "";
        if (gethostname(host, sizeof host - 1) != 0) host[0] = 0;
        buf_printf(b, "\033]8;;file://%s", host);
        buf_add(b, str_from(uri, sizeof "file://" - 1));
        buf_add_z(b, "\033\\");
    }
    style_on(b, t, STYLE_PATH);
    safe_path(b, shown);
    style_off(b, t);
    if (link) buf_add_z(b, "\033]8;;\033\\");
}

void number_add(Buf *b, int64_t v) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)v);
    for (int i = 0; i < n; i++) {
        buf_char(b, digits[i]);
        int left = n - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-') buf_char(b, ',');
    }
}

void bytes_add(Buf *b, int64_t v) {
    static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
    double value = (double)v;
    size_t unit = 0;
    while (value >= 1024 && unit < 4) value /= 1024, unit++;
    buf_printf(b, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void seconds_add(Buf *b, double seconds) {
    if (seconds < 0.0995) {
        buf_printf(b, seconds < 0.00095 ? "%.2f ms" : "%.0f ms", seconds * 1e3);
    } else if (seconds < 59.95) {
        buf_printf(b, "%.1f s", seconds);
    } else {
        long long whole = (long long)(seconds + 0.5);
        if (whole < 3600) {
            buf_printf(b, "%lld min %lld s", whole / 60, whole % 60);
        } else {
            buf_printf(b, "%lld h %lld min", whole / 3600, whole / 60 % 60);
        }
    }
}
