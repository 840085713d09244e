# Backend and threads of the process and of one thread; a part of _core/binding.pyx, which reads them.


@public
def backends():
    """The backends that this processor runs, best first.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import fastdrop as fd
    >>> fd.backends()[-1]
    'portable'
    """
    cdef int i = 0
    names = []
    while fd_backend_at(i) != NULL:
        if fd_backend_supported(fd_backend_at(i)):
            names.append(fd_backend_name(fd_backend_at(i)).decode())
        i += 1
    return names


@public
def backend():
    """The backend in use: the best one, or what the environment variable ``FASTDROP_BACKEND`` names.

    Returns
    -------
    str

    Examples
    --------
    >>> import fastdrop as fd
    >>> fd.backend() in fd.backends()
    True
    """
    return fd_backend_name(settings.backend).decode()


def set_backend(str name):
    """Select a backend for the process: for tests and benchmarks, since the masks are the same."""
    cdef int i = 0
    if name not in backends():
        raise ValueError(f"backend must be one of {', '.join(backends())}, got {name!r}")
    while fd_backend_name(fd_backend_at(i)).decode() != name:
        i += 1
    settings.backend = fd_backend_at(i)


def set_threads_always(bint always):
    """Whether calls take all their threads, paying or not: for tests and benchmarks, since the masks are the same."""
    fd_threads_always(always)


@public
def set_num_threads(n):
    """Set how many threads a call may use, in the whole process.

    Small calls use fewer: a thread is woken only for work worth it. The masks do not depend on it.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        If `n` is no int, or less than 1.

    Examples
    --------
    >>> import fastdrop as fd
    >>> before = fd.get_num_threads()
    >>> fd.set_num_threads(1)
    >>> fd.get_num_threads()
    1
    >>> fd.set_num_threads(before)
    """
    global threads, threads_source
    threads, threads_source = min(natural(n, "n", 1), MOST_THREADS), "set_num_threads"


@public
def num_threads(n):
    """Set how many threads a call from this thread may use, while a ``with`` block runs.

    Other threads keep the number of `set_num_threads`, or that of a block of their own. The masks do not depend on it.

    Parameters
    ----------
    n : int
        At least 1.

    Returns
    -------
    context manager
        Blocks may be nested; the end of each, by an exception too, brings back what held before it.

    Raises
    ------
    TypeError, ValueError
        If `n` is no int, or less than 1.

    Examples
    --------
    >>> import fastdrop as fd
    >>> with fd.num_threads(1):
    ...     fd.get_num_threads()
    1
    """
    return _own_threads(min(natural(n, "n", 1), MOST_THREADS))


@contextmanager
def _own_threads(n):
    global own_threads
    before, own_threads = own_threads, n
    try:
        yield
    finally:
        own_threads = before


@public
def get_num_threads():
    """How many threads a call from this thread may use.

    The number is that of a `num_threads` block that this thread runs, else of `set_num_threads`, else of
    ``FASTDROP_NUM_THREADS``, else of ``OMP_NUM_THREADS``, else the CPUs this process may use (affinity, control group).
    Where OpenMP's own limit in the calling thread is lower than it was at import (threadpoolctl,
    ``omp_set_num_threads``), that caps them all. 1 in a build without OpenMP.

    Returns
    -------
    int

    Examples
    --------
    >>> import fastdrop as fd
    >>> fd.get_num_threads() >= 1
    True
    """
    return current().threads


def build():
    """What `show_config` says of the build and of the choices made at import."""
    source = "num_threads in this thread" if own_threads > 0 else threads_source
    if not fd_has_openmp():
        source = "a build without OpenMP"
    elif current().threads < (own_threads if own_threads > 0 else threads):
        source = "OpenMP's limit in this thread"
    return {
        "compiler": fd_compiler().decode(),
        "openmp": bool(fd_has_openmp()),
        "threads source": source,
        "threads pause": fd_threads_pause(),
        "backend reason": backend_reason,
        "prefetch": bool(settings.prefetch),
    }


def _configure():
    global threads, threads_source, backend_reason
    threads, threads_source = default_threads()
    threads = min(threads, MOST_THREADS)
    forced = os.environ.get("FASTDROP_BACKEND", "")
    if forced and forced not in backends():
        raise ImportError(f"FASTDROP_BACKEND must be one of {', '.join(backends())}, got {forced!r}")
    if forced:
        set_backend(forced)
    backend_reason = "FASTDROP_BACKEND" if forced else "the best of this processor"
    try:
        cache = os.sysconf("SC_LEVEL3_CACHE_SIZE")
    except (AttributeError, ValueError, OSError):
        cache = 0
    settings.cache_bytes = cache if cache > 0 else 1 << 25  # what current server processors give a core and more


_configure()
