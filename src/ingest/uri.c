/* uri.c - file URIs (RFC 8089) and the percent-encoding of their paths (RFC 3986, 2.1 and 3.3). See read.h. */
#include "ingest/read.h"

/* pchar of RFC 3986 without '%', and '/'. */
static bool is_plain(unsigned char c) {
    const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return alnum || (c && strchr("-._~!$&'()*+,;=:@/", c));
}

Str uri_of_path(Arena *a, const char *absolute) {
    static const char digits[] = "0123456789ABCDEF";
    static const char scheme[] = "file://";
    size_t n = sizeof scheme - 1;
    for (const char *p = absolute; *p; p++) n += is_plain((unsigned char)*p) ? 1 : 3;
    char *out = arena_alloc(a, n + 1);
    if (!out) return (Str){0};
    memcpy(out, scheme, sizeof scheme - 1);
    char *at = out + sizeof scheme - 1;
    for (const char *p = absolute; *p; p++) {
        const unsigned char c = (unsigned char)*p;
        if (is_plain(c)) {
            *at++ = *p;
        } else {
            *at++ = '%';
            *at++ = digits[c >> 4];
            *at++ = digits[c & 15];
        }
    }
    return str_make(out, n);
}

/* Behind "file://" and the host, which is empty or "localhost". */
static bool path_part(Str uri, Str *out) {
    if (!str_eq_nocase(str_upto(uri, 7), STR("file://"))) return false;
    Str rest = str_from(uri, 7);
    if (str_eq_nocase(str_upto(rest, 10), STR("localhost/"))) rest = str_from(rest, 9);
    *out = rest;
    return str_starts(rest, STR("/"));
}

Err path_of_uri(Arena *a, Str uri, const char **out) {
    Str path;
    *out = NULL;
    if (!path_part(uri, &path)) return err_set(ERR_INPUT, "'%.*s' is not a file URI of this machine", STR_FMT(uri));
    char *to = arena_alloc(a, path.n + 1);
    if (!to) return arena_error();
    size_t n = 0;
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        const size_t at = uri.n - path.n + i;
        if (c == '?' || c == '#' || c == 0)
            return err_set(ERR_INPUT, "'%.*s' has byte 0x%02x at %zu, which no path may have unescaped", STR_FMT(uri),
                           (unsigned)(unsigned char)c, at);
        if (c == '%') {
            const int high = path.n - i > 2 ? hex_value(path.p[i + 1]) : -1;
            const int low = high >= 0 ? hex_value(path.p[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return err_set(ERR_INPUT, "'%.*s' has a bad escape at byte %zu", STR_FMT(uri), at);
            c = (char)(high << 4 | low);
            i += 2;
        }
        to[n++] = c;
    }
    *out = to;
    return ERR_OK;
}
