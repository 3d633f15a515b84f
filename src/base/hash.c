/* hash.c - see hash.h. */
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

/* EVP picks the SHA extensions of the CPU: 1.7 GB/s on Zen 4. It fails only when memory is out; a hash that cannot be had
 * must never look like one, hence the abort: nothing sensible is left to do with neither memory nor identity. */
Sha256 sha256_of(Str bytes) {
    Sha256 out;
    unsigned n = 0;
    if (EVP_Digest(bytes.n ? bytes.p : "", bytes.n, out.bytes, &n, EVP_sha256(), NULL) != 1) abort();
    return out;
}

ChunkHash chunk_hash_of(Str text) {
    Sha256 full = sha256_of(text);
    ChunkHash out;
    memcpy(out.bytes, full.bytes, sizeof out.bytes);
    return out;
}

struct Sha256Stream {
    EVP_MD_CTX *ctx;
};

Err sha256_begin(Sha256Stream **out) {
    *out = NULL;
    Sha256Stream *s = malloc(sizeof *s);
    EVP_MD_CTX *ctx = s ? EVP_MD_CTX_new() : NULL;
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        free(s);
        return err_set(ERR_NOMEM, "out of memory: cannot begin a SHA-256");
    }
    s->ctx = ctx;
    *out = s;
    return ERR_OK;
}

void sha256_add(Sha256Stream *s, Str bytes) {
    if (EVP_DigestUpdate(s->ctx, bytes.p, bytes.n) != 1) abort();
}

Sha256 sha256_end(Sha256Stream *s) {
    Sha256 out;
    unsigned n = 0;
    if (EVP_DigestFinal_ex(s->ctx, out.bytes, &n) != 1) abort();
    sha256_abort(s);
    return out;
}

void sha256_abort(Sha256Stream *s) {
    if (!s) return;
    EVP_MD_CTX_free(s->ctx);
    free(s);
}

void git_blob_id(Str content, uint8_t out[20]) {
    char head[32];
    unsigned n = 0;
    int length = snprintf(head, sizeof head, "blob %zu", content.n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) != 1 || EVP_DigestUpdate(ctx, head, (size_t)length + 1) != 1 ||
        EVP_DigestUpdate(ctx, content.p, content.n) != 1 || EVP_DigestFinal_ex(ctx, out, &n) != 1)
        abort();
    EVP_MD_CTX_free(ctx);
}

Err sha256_fd(int fd, Sha256 *out) {
    enum { CHUNK = 1 << 18 };
    Err err = ERR_OK;
    Sha256Stream *s = NULL;
    off_t at = 0;
    char *bytes = malloc(CHUNK);
    if (!bytes) return err_set(ERR_NOMEM, "out of memory for hashing");
    if ((err = sha256_begin(&s))) goto done;
    for (;;) {
        const ssize_t n = pread(fd, bytes, CHUNK, at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            err = err_set(ERR_IO, "cannot read: %s", strerror(errno));
            goto done;
        }
        if (n == 0) break;
        sha256_add(s, str_make(bytes, (size_t)n));
        at += n;
    }
    *out = sha256_end(s);
    s = NULL;
done:
    sha256_abort(s);
    free(bytes);
    return err;
}

Err sha256_file(const char *path, Sha256 *out) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_set(ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    Err err = sha256_fd(fd, out);
    if (err) err = err_prefix(err, "'%s'", path);
    (void)close(fd);
    return err;
}

void hex_write(const uint8_t *bytes, size_t n, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = 0;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool hex_read(Str hex, uint8_t *bytes, size_t n) {
    if (hex.n != 2 * n) return false;
    for (size_t i = 0; i < n; i++) {
        int hi = hex_digit(hex.p[2 * i]), lo = hex_digit(hex.p[2 * i + 1]);
        if (hi < 0 || lo < 0) return false;
        bytes[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

uint64_t xxh3_of(Str bytes) { return XXH3_64bits(bytes.p, bytes.n); }
uint64_t xxh3_seeded(Str bytes, uint64_t seed) { return XXH3_64bits_withSeed(bytes.p, bytes.n, seed); }
