"""The header of the C core, for programs that call it."""

import os

from ._public import public


@public
def get_include() -> str:
    """The folder that holds ``fastdrop.h``, the header of the C core.

    The core itself is beside it, as a static library: ``pkg-config --cflags --libs fastdrop`` with
    ``../lib/pkgconfig`` in ``PKG_CONFIG_PATH``, or the entry point group ``pkg_config``, which build tools read, gives
    the flags for both.

    Returns
    -------
    str
        The path of the folder.

    See Also
    --------
    numpy.get_include : The same of NumPy's headers.

    Notes
    -----
    The header says what each function does and expects; ``csrc/README.md`` in the sources says how to compile the core
    otherwise. The library was compiled as the package was: a program that links it needs ``-fopenmp``, or what its
    compiler has for it, where ``fastdrop.show_config()`` says that OpenMP is enabled.

    Examples
    --------
    >>> import os, fastdrop as fd
    >>> os.listdir(fd.get_include())
    ['fastdrop.h']
    """
    return os.path.join(os.path.dirname(__file__), "include")
