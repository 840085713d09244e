"""A compiler that remembers what it has made: `compiler.py gcc ARGUMENTS`, as gcc itself.

Most of what a planted fault has built again is as it was: an object is known by the text of its source and headers,
or else by what the preprocessor makes of them. Optimised less, which takes half the time; a warning is no error, or it
would hide whether a test notices; and a kernel that this processor cannot run is compiled once, whatever its templates
have come to.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def runs_avx512():
    try:
        return "avx512bw" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return True


def digest(*parts):
    return hashlib.sha256(b"\0".join(part if isinstance(part, bytes) else part.encode() for part in parts)).hexdigest()


def options(command):
    """What the object follows from beside the text, wherever the copy lies."""
    return [word for word in command if word.startswith("-") and not word.startswith("-I")]


def by_text(command, source):
    """A name by the source and all headers beside it, above it, and in csrc/."""
    path = Path(source).resolve()
    headers = [*path.parent.glob("*.h"), *path.parents[1].glob("*.h"), *Path("csrc").resolve().rglob("*.h")]
    return digest(*options(command), path.name, *(text.read_bytes() for text in [path, *sorted(headers)]))


def by_meaning(command, source, target):
    """A name by the preprocessed source; None where the source has an error."""
    if source.endswith("avx512.c") and not runs_avx512():
        return digest("not run here", *options(command))
    command = [word for word in command if word not in ("-c", "-o", target)]
    done = subprocess.run([*command, "-E", "-P"], capture_output=True)
    return None if done.returncode else digest(*options(command), Path(source).name, done.stdout)


def main(command):
    ours = str(Path(os.environ["PLANTED_CACHE"]) / "bin")  # a real one that looks for a compiler is not to find us
    os.environ["PATH"] = ":".join(word for word in os.environ["PATH"].split(":") if word != ours)
    sources = [word for word in command if word.endswith(".c")]
    if "-c" not in command or "-o" not in command or len(sources) != 1:
        os.execvp(command[0], command)
    less = "-O0" if "PyMODINIT_FUNC" in Path(sources[0]).read_text(encoding="utf-8") else "-O1"  # Cython's C is long
    command = [less if word in ("-O1", "-O2", "-O3") else word for word in command if word not in ("-g", "-Werror")]
    target = command[command.index("-o") + 1]
    cache = Path(os.environ["PLANTED_CACHE"])
    first = cache / f"{by_text(command, sources[0])}.o"
    if first.exists():
        shutil.copyfile(first, target)
        return 0
    key = by_meaning(command, sources[0], target)
    kept = cache / f"{key}.o"
    if key and kept.exists():
        shutil.copyfile(kept, target)
    elif status := subprocess.run(command).returncode:
        return status
    for name in (first, *([kept] if key else [])):
        own = name.with_name(f"{name.name}.{os.getpid()}")  # two workers may compile the same
        shutil.copyfile(target, own)
        own.replace(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
