/* memory.c - see memory.h. What reads the system is in sys_linux.c; here is what is thought of it. */
#include "base/memory.h"

#include "base/sys.h"

static const int64_t BUDGET_MIN = (int64_t)256 << 20;

/* "1234 567 89 …": size, resident, shared, in pages. */
void memory_parse_statm(Str statm, int64_t page, MemoryNow *out) {
    Str size, resident, shared;
    int64_t r = 0, s = 0;
    if (!str_cut(&statm, ' ', &size) || !str_cut(&statm, ' ', &resident) || !str_cut(&statm, ' ', &shared)) return;
    if (!str_to_i64(resident, &r) || !str_to_i64(shared, &s) || r < 0 || s < 0 || r > INT64_MAX / page) return;
    out->resident = r * page;
    out->anonymous = r > s ? (r - s) * page : 0;
}

/* "MemTotal:       24000000 kB" */
static void meminfo_line(Str line, const char *name, int64_t *out) {
    Str key;
    int64_t kb = 0;
    if (!str_cut(&line, ':', &key) || !str_is(key, name)) return;
    line = str_trim(line);
    if (!str_ends(line, STR(" kB"))) return;
    if (str_to_i64(str_trim(str_upto(line, line.n - 3)), &kb) && kb >= 0 && kb < INT64_MAX / 1024) *out = kb * 1024;
}

void memory_parse_meminfo(Str meminfo, MemoryNow *out) {
    Str line;
    while (str_line(&meminfo, &line)) {
        meminfo_line(line, "MemTotal", &out->total);
        meminfo_line(line, "MemAvailable", &out->available);
    }
}

void memory_read(MemoryNow *out) {
    *out = (MemoryNow){0};
    sys_memory_read(out);
}

int64_t memory_budget_default(const MemoryNow *now) {
    int64_t all = now->total;
    if (now->group_limit > 0 && (all == 0 || now->group_limit < all)) all = now->group_limit;
    return all / 4 > BUDGET_MIN ? all / 4 : BUDGET_MIN;
}

static MemoryLevel level_of(double used, double threshold) {
    double left = 100 - threshold;
    if (used >= threshold + left * 3 / 4) return MEMORY_CRITICAL;
    if (used >= threshold + left * 3 / 8) return MEMORY_HIGH;
    return used >= threshold ? MEMORY_RAISED : MEMORY_CALM;
}

MemoryLevel memory_level(const MemoryNow *now, int64_t budget, double threshold) {
    MemoryLevel level = MEMORY_CALM, group = MEMORY_CALM;
    if (!(threshold >= 1)) threshold = 1;
    if (threshold > 99) threshold = 99;
    if (budget > 0) level = level_of(100.0 * (double)now->anonymous / (double)budget, threshold);
    if (now->group_limit > 0) group = level_of(100.0 * (double)now->group_used / (double)now->group_limit, threshold);
    if (group > level) level = group;
    if (now->total > 0 && now->available > 0 && now->available < now->total / 20) level = MEMORY_CRITICAL;
    return level;
}

size_t memory_share(MemoryLevel level) { return (size_t)8 >> (unsigned)level; }

size_t memory_shared(size_t n, MemoryLevel level) {
    size_t share = n / 8 * memory_share(level) + n % 8 * memory_share(level) / 8;
    return share ? share : 1;
}
