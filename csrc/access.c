/* Prefetching and non-temporal stores: what pays on which processor. */
#include "backend.h"

#ifdef FD_X86
#include <cpuid.h>

/* AMD family 19h, models 00h to 0Fh: Zen 3 servers (EPYC 7003). The other models of the family were not measured. */
int fd_prefetch_pays(void) {
    unsigned a, b = 0, c, d;
    __get_cpuid(0, &a, &b, &c, &d);
    const int amd = b == signature_AMD_ebx;
    if (!amd || !__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    const unsigned family = (a >> 8 & 0xF) + (a >> 20 & 0xFF), model = (a >> 4 & 0xF) | (a >> 12 & 0xF0);
    return family == 0x19 && model <= 0x0F;
}
#else
int fd_prefetch_pays(void) { return 0; }
#endif

/*
 * Distances measured on Zen 3 (benchmarks/README.md), where they bring up to a tenth; on Zen 4 the same ones cost up to
 * a third. An array about as large as the last level is partly in it, and is prefetched furthest ahead. Larger ones are
 * best prefetched as late as can be, which is earlier where a slow draw takes its time at each line.
 *
 * Beyond the cache an ordinary store reads the line that it is about to overwrite: out of place, that is a third more.
 */
fd_access fd_access_of(const fd_run *run, size_t bytes, int in_place, int slow_draw) {
    if (bytes < run->cache_bytes / 2)
        return (fd_access){0, 0};
    const size_t distance = bytes / 4 < run->cache_bytes ? 4096 : slow_draw ? 2048 : 640;
    return (fd_access){run->prefetch ? distance : 0, !in_place};
}
