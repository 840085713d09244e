/* The backends compiled in, best first: the order is the policy. */
#include "backend.h"

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
