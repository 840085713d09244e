"""What PyInstaller asks packages for: where the hook lies that says what to freeze with them."""

from pathlib import Path


def hook_dirs() -> list[str]:
    """Return the folder of the hook: the entry point ``pyinstaller40``."""
    return [str(Path(__file__).parent)]
