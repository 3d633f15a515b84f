/* base64.c - see base64.h. */
#include "base/base64.h"

static int digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(Str text, Buf *out) {
    size_t n = text.n;
    if (n % 4) return false;
    for (int i = 0; i < 2 && n && text.p[n - 1] == '='; i++) n--;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        const int d = digit(text.p[i]);
        if (d < 0) return false;
        bits = bits << 6 | (uint32_t)d;
        if (i % 4) buf_char(out, (char)(bits >> (6 - 2 * (i % 4))));
    }
    /* What is left of the last digit belongs to no byte. */
    const unsigned left = n % 4 == 2 ? 4 : n % 4 == 3 ? 2 : 0;
    return (bits & ((1u << left) - 1)) == 0;
}
