/* The backends compiled in, best first: the first that this processor supports is the default. */
#include "backend.h"

#ifdef FD_X86
#include <cpuid.h>

/*
 * Uses CPUID and XGETBV (Intel's manual, volume 1, 14.3 and 15.2): __builtin_cpu_supports needs the compiler's run-time
 * library, and Zig's lacks it.
 */
int fd_runs(fd_isa isa) {
    static const struct {
        unsigned features, state; /* bits of CPUID leaf 7, ebx; of XCR0: SSE, AVX, opmask, the two parts of ZMM */
    } needs[] = {
        [FD_AVX2] = {bit_AVX2, 0x06},
        [FD_AVX512] = {bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL, 0xE6},
    };
    const unsigned common = bit_OSXSAVE | bit_AVX | bit_F16C;
    unsigned a, b = 0, c = 0, d, saved, upper;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & common) != common)
        return 0;
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(upper) : "c"(0));
    return (saved & needs[isa].state) == needs[isa].state && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (b & needs[isa].features) == needs[isa].features;
}
#endif

static const fd_backend *const backends[] = {
#ifdef FD_X86
    &fd_avx512,
    &fd_avx2,
#endif
#ifdef FD_NEON
    &fd_neon,
#endif
    &fd_portable,
};

const fd_backend *fd_backend_at(int i) {
    const int count = (int)(sizeof backends / sizeof *backends);
    return 0 <= i && i < count ? backends[i] : NULL;
}

const char *fd_backend_name(const fd_backend *backend) { return backend->name; }

int fd_backend_supported(const fd_backend *backend) { return backend->supported(); }

fd_run fd_run_default(void) {
    int i = 0;
    while (!backends[i]->supported())
        i++;
    return (fd_run){backends[i], fd_max_threads(), 1 << 25, fd_prefetch_pays()};
}

const char *fd_compiler(void) { return FD_COMPILER; }
