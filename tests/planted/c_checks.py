"""The C checks of tests/c for one backend, up to the first that fails: `c_checks.py BACKEND`."""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "c"))

import run as emulated


def main(backend):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            program = emulated.build(folder, emulated.tool("gcc", "cc"), optimise="-O1")
        except emulated.FailedError as reason:
            return f"FAIL build: {reason}"
        emulated.write_vectors(folder / "vectors.txt")
        command = [program, folder / "vectors.txt", backend]
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
            for line in process.stdout:
                if line.startswith("FAIL"):
                    process.kill()
                    return line.strip()
        return process.returncode and f"FAIL {backend}: exit status {process.returncode}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
