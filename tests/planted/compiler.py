"""A compiler that remembers objects by their preprocessed source: `compiler.py gcc ARGUMENTS`, as gcc itself.

Most of what a planted fault has built again is as it was. Optimised less, which compiles in half the time; a warning
is no error, or it would hide whether a test notices; and a kernel that this processor cannot run is compiled once,
whatever its templates have come to.
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


def digest(command, source, target):
    """What the object follows from, wherever the copy lies; None where the source has an error."""
    arguments = [word for word in command if word.startswith("-") and not word.startswith(("-I", "-isystem"))]
    if source.endswith("avx512.c") and not runs_avx512():
        said = b"not run here"
    else:
        done = subprocess.run(
            [word for word in command if word not in ("-c", "-o", target)] + ["-E", "-P"], capture_output=True
        )
        if done.returncode:
            return None
        said = done.stdout
    return hashlib.sha256("\0".join([*arguments, Path(source).name]).encode() + said).hexdigest()


def main(command):
    ours = str(Path(os.environ["PLANTED_CACHE"]) / "bin")  # a real one that looks for a compiler is not to find us
    os.environ["PATH"] = ":".join(word for word in os.environ["PATH"].split(":") if word != ours)
    command = ["-O1" if word in ("-O2", "-O3") else word for word in command if word not in ("-g", "-Werror")]
    sources = [word for word in command if word.endswith(".c")]
    if "-c" not in command or "-o" not in command or len(sources) != 1:
        os.execvp(command[0], command)
    target = command[command.index("-o") + 1]
    key = digest(command, sources[0], target)
    kept = Path(os.environ["PLANTED_CACHE"]) / f"{key}.o"
    if key and kept.exists():
        shutil.copyfile(kept, target)
        return 0
    status = subprocess.run(command).returncode
    if key and status == 0:
        own = kept.with_name(f"{kept.name}.{os.getpid()}")  # two workers may compile the same
        shutil.copyfile(target, own)
        own.replace(kept)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
