/* base64.c - see base64.h. */
#include "base/base64.h"

static int digit(char c, Base64 how) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || (c == '-' && how == BASE64_LOOSE)) return 62;
    return c == '/' || (c == '_' && how == BASE64_LOOSE) ? 63 : -1;
}

bool base64_decode(Str text, Base64 how, Buf *out) {
    size_t n = text.n;
    if (n % 4 && how == BASE64_STRICT) return false;
    for (int i = 0; i < 2 && n && text.p[n - 1] == '='; i++) n--;
    if (n % 4 == 1) return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        const int d = digit(text.p[i], how);
        if (d < 0) return false;
        bits = bits << 6 | (uint32_t)d;
        if (i % 4) buf_char(out, (char)(bits >> (6 - 2 * (i % 4))));
    }
    /* What is left of the last digit belongs to no byte. */
    const unsigned left = n % 4 == 2 ? 4 : n % 4 == 3 ? 2 : 0;
    return (bits & ((1u << left) - 1)) == 0 || how == BASE64_LOOSE;
}

void base64_encode(Str bytes, Buf *out) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t hold = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < bytes.n; i++) {
        hold = hold << 8 | (uint8_t)bytes.p[i];
        for (bits += 8; bits >= 6; bits -= 6) buf_char(out, letters[hold >> (bits - 6) & 63]);
    }
    if (bits) buf_char(out, letters[hold << (6 - bits) & 63]);
    for (size_t i = bytes.n; i % 3; i++) buf_char(out, '=');
}
