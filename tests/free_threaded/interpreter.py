"""A CPython without the GIL: the one on the PATH, or one built from Debian's sources and kept in the user's cache."""

import os
import shutil
from pathlib import Path

from c.run import FailedError, NotRunError, execute, tool

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastdrop" / "python3.13t"
RELEASE = "trixie"  # Debian's first with Python 3.13
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirror():
    """Where this machine has its own Debian packages from."""
    for line in execute(tool("apt-get"), "indextargets", "--format", "$(LABEL) $(REPO_URI)").splitlines():
        label, _, uri = line.partition(" ")
        if label == "Debian":
            return uri
    raise NotRunError("no python3.13t, and no Debian to have its sources from")


def download(folder):
    """The sources, by an apt whose lists and packages lie in the folder: the system's own stay as they are."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb-src [signed-by={KEYRING}] {mirror()} {RELEASE} main\n", encoding="utf-8")
    own = {"State": "state", "Cache": "cache", "Etc::sourcelist": "sources.list", "Etc::sourceparts": "none"}
    apt = [tool("apt-get"), *[f"-oDir::{name}={folder / path}" for name, path in own.items()]]
    try:
        execute(*apt, "update")
        execute("env", f"--chdir={folder}", *apt, "source", "--download-only", "--tar-only", "python3.13")
    except FailedError:
        raise NotRunError("no python3.13t, and no sources of Python 3.13") from None
    return next(folder.glob("*.orig.tar.*"))


def build(folder):
    tool("gcc", "cc")
    archive, source = download(folder), folder / "source"
    source.mkdir()
    execute("tar", "-xf", archive, "-C", source, "--strip-components=1")
    inside = ["env", f"--chdir={source}"]
    configure = ["./configure", "--disable-gil", "--disable-test-modules", f"--prefix={CACHE}", "CFLAGS=-O1 -g0"]
    execute(*inside, *configure)
    make = [*inside, tool("make"), "-s", f"-j{os.cpu_count()}", f"DESTDIR={folder}"]
    execute(*make, timeout=3600)
    execute(*make, "install")
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(f"{folder}{CACHE}", CACHE)  # whole, or not at all


def free_threaded(folder):
    """The interpreter's path."""
    if path := shutil.which("python3.14t") or shutil.which("python3.13t"):
        return path
    path = CACHE / "bin" / "python3.13t"
    if not path.exists():
        build(folder)
    try:
        execute(path, "-c", "import ctypes, ssl, zlib")
    except FailedError:
        raise NotRunError(f"libffi-dev, libssl-dev or zlib1g-dev was not there when {CACHE} was built") from None
    return path
