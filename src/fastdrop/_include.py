"""Where the header of the C core is, for programs that call it."""

import os

from ._public import public


@public
def get_include() -> str:
    """Return the folder that contains ``fastdrop.h``, the header of the C core.

    The core is installed as a static library, too. ``pkg-config --cflags --libs fastdrop`` gives the flags for both,
    with ``../lib/pkgconfig`` in ``PKG_CONFIG_PATH``; build tools find it by the entry point group ``pkg_config``.

    Returns
    -------
    str
        The path of the folder.

    See Also
    --------
    numpy.get_include : The same for NumPy's headers.

    Notes
    -----
    The header says what each function does and expects; ``csrc/README.md`` in the sources says how to compile the core
    without Python. If ``fastdrop.show_config()`` says that OpenMP is enabled, a program that links the library needs
    ``-fopenmp``, or its compiler's option for OpenMP.

    Examples
    --------
    >>> import os, fastdrop as fd
    >>> os.listdir(fd.get_include())
    ['fastdrop.h']
    """
    return os.path.join(os.path.dirname(__file__), "include")
