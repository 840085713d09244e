"""The order of the examples on the site, and how their pictures look, for sphinx-gallery."""

from pathlib import Path

import matplotlib.pyplot as plt
from sphinx_gallery.scrapers import matplotlib_scraper

STYLE = {"axes.spines.right": False, "axes.spines.top": False, "axes.titlesize": "medium", "font.size": 11}
LESSONS = ("overfit", "gap", "thinned", "resting", "ensemble", "scale", "test_time")  # as Learn has them


def order(file):
    """Return what to sort a script by."""
    name = Path(file).stem
    return LESSONS.index(name) if name in LESSONS else len(LESSONS), name


def style(gallery_conf, file):
    """Prepare matplotlib for the next script."""
    plt.close("all")
    plt.rcParams.update(plt.rcParamsDefault | STYLE)


def scrape(block, block_vars, gallery_conf):
    """Keep the figures of a script as SVG."""
    return matplotlib_scraper(block, block_vars, gallery_conf, format="svg")
