/* hash.c - see hash.h. */
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#define OPENSSL_API_COMPAT 0x10100000L /* see below */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

/* OpenSSL's old calls, which it would like to retire: they work on the caller's stack and cannot fail, where EVP takes
 * memory for each hash, and what then to do without an identity nobody could say. The same code of the CPU's SHA
 * extensions stands below both: 1.7 GB/s on Zen 4. */
Sha256 sha256_of(Str bytes) {
    Sha256 out;
    SHA256_CTX ctx;
    (void)SHA256_Init(&ctx);
    (void)SHA256_Update(&ctx, bytes.n ? bytes.p : "", bytes.n);
    (void)SHA256_Final(out.bytes, &ctx);
    return out;
}

ChunkHash chunk_hash_of(Str text) {
    Sha256 full = sha256_of(text);
    ChunkHash out;
    memcpy(out.bytes, full.bytes, sizeof out.bytes);
    return out;
}

struct Sha256Stream {
    SHA256_CTX ctx;
};

Err sha256_begin(Sha256Stream **out) {
    *out = malloc(sizeof **out);
    if (!*out) return err_set(ERR_NOMEM, "out of memory: cannot begin a SHA-256");
    (void)SHA256_Init(&(*out)->ctx);
    return ERR_OK;
}

void sha256_add(Sha256Stream *s, Str bytes) { (void)SHA256_Update(&s->ctx, bytes.n ? bytes.p : "", bytes.n); }

Sha256 sha256_end(Sha256Stream *s) {
    Sha256 out;
    (void)SHA256_Final(out.bytes, &s->ctx);
    sha256_abort(s);
    return out;
}

void sha256_abort(Sha256Stream *s) { free(s); }

void git_blob_id(Str content, uint8_t out[20]) {
    char head[32];
    SHA_CTX ctx;
    const int length = snprintf(head, sizeof head, "blob %zu", content.n);
    (void)SHA1_Init(&ctx);
    (void)SHA1_Update(&ctx, head, (size_t)length + 1);
    (void)SHA1_Update(&ctx, content.n ? content.p : "", content.n);
    (void)SHA1_Final(out, &ctx);
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

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

bool hex_read(Str hex, uint8_t *bytes, size_t n) {
    if (hex.n != 2 * n) return false;
    for (size_t i = 0; i < n; i++) {
        int hi = hex_value(hex.p[2 * i]), lo = hex_value(hex.p[2 * i + 1]);
        if (hi < 0 || lo < 0) return false;
        bytes[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

uint64_t xxh3_of(Str bytes) { return XXH3_64bits(bytes.p, bytes.n); }
uint64_t xxh3_seeded(Str bytes, uint64_t seed) { return XXH3_64bits_withSeed(bytes.p, bytes.n, seed); }
