"""Looks at every page of the built site in chromium: `python docs/browser.py`.

In light mode and in dark, and on a window of 400 pixels: nothing fails to load or is written to the
console as an error; pictures are there and have an alternative text; the page is no wider than the window; text has the
contrast of WCAG's level AA, 4.5 to 1, or 3 where it is large. Links lead somewhere on the site, and search finds
`noise_shape` and `fd_bits`.
"""

import functools
import http.server
import shutil
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag

from playwright.sync_api import sync_playwright

BUILT = Path(__file__).resolve().parent / "_build"
WINDOWS = (("light", 1200), ("dark", 1200), ("light", 400))

LOAD = """() => Promise.all([...document.images].map(image => {
    image.loading = 'eager';
    return image.complete || new Promise(done => image.onload = image.onerror = done);
}))"""

LOOK = """() => {
    const luminance = ([r, g, b]) => {
        const linear = [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const known = new Map();
    const rgba = colour => {  // whatever the notation
        if (known.has(colour)) return known.get(colour);
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const data = canvas.getImageData(0, 0, 1, 1).data;
        known.set(colour, [data[0], data[1], data[2], data[3] / 255]);
        return known.get(colour);
    };
    const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
    const behind = element => {
        const layers = [];
        for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
        return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
    };
    const faint = new Set();
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
        if (!own || !element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
        const style = getComputedStyle(element), ground = behind(element);
        const box = element.getBoundingClientRect();
        if (box.right <= 0 || box.width <= 1) continue;  // moved out of sight, for screen readers
        const [a, b] = [luminance(over(rgba(style.color), ground)), luminance(ground)].sort((x, y) => y - x);
        const size = parseFloat(style.fontSize), bold = parseInt(style.fontWeight) >= 700;
        const needed = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5, ratio = (a + 0.05) / (b + 0.05);
        if (ratio < needed) faint.add(
            `contrast ${ratio.toFixed(2)} of <${element.tagName.toLowerCase()} class="${element.className}">: ` +
            element.textContent.trim().slice(0, 30));
    }
    const pictures = [...document.querySelectorAll('article img')];
    return {
        faint: [...faint],
        pictures: pictures.length,
        broken: pictures.filter(i => !i.complete || !i.naturalWidth).map(i => 'no picture: ' + i.src),
        nameless: pictures.filter(i => !i.alt.includes(' ') && !i.closest('.sphx-glr-thumbcontainer'))  // has a title
            .map(i => 'no alternative text: ' + i.src),
        wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        ids: [...document.querySelectorAll('[id]')].map(e => e.id),
        links: [...document.querySelectorAll('a[href]')].map(a => a.href),
    };
}"""


def serve():
    """Serve the built site on a free port of this machine; return its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=BUILT))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def look(page, address, faults):
    """Load a page; note what is wrong with it, and return what is on it."""
    page.goto(address)
    page.evaluate(LOAD)
    found = page.evaluate(LOOK)
    faults += [*found["faint"], *found["broken"], *found["nameless"]]
    if found["wide"] > 0:
        faults.append(f"{found['wide']} pixels wider than the window")
    return found


def dead_links(seen, site):
    """Return the links within the site whose file or place on a page is not there."""
    dead = []
    for name, found in seen.items():
        for link in dict.fromkeys(found["links"]):
            address, place = urldefrag(link)
            if not address.startswith(site):
                continue
            target = unquote(address.removeprefix(site).partition("?")[0]) or "index.html"
            there = (BUILT / target).is_file() and (
                not place or target not in seen or unquote(place) in seen[target]["ids"]
            )
            dead += [] if there else [f"{name}: no {link.removeprefix(site)}"]
    return dead


def search(page, site):
    """Return what is wrong with the search for a parameter, and for a function of C."""
    faults = []
    for word, place in (("noise_shape", "fastdrop.dropout"), ("fd_bits", "c.html#c.fd_bits")):
        page.goto(f"{site}search.html?q={word}")
        page.wait_for_selector("#search-results li a")
        links = page.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
        faults += [] if any(place in link for link in links) else [f"search for {word}: only {links}"]
    return faults


def look_at_all(browser, mode, width, site, names):
    """Look at every page in one window; return what is on each, and what is wrong."""
    page = browser.new_context(color_scheme=mode, viewport={"width": width, "height": 900}).new_page()
    here, seen, faults = [], {}, []
    page.on("console", lambda message: here.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: here.append(str(error)))
    page.on("response", lambda got: here.append(f"{got.status} {got.url}") if got.status >= 400 else None)
    for name in names:
        here.clear()
        seen[name] = look(page, site + name, here)
        faults += [f"{name}, {mode}, {width} wide: {fault}" for fault in here]
    page.context.close()
    return seen, faults


def main():
    """Look at everything; return the exit code."""
    site, names = serve(), sorted(str(path.relative_to(BUILT)) for path in BUILT.rglob("*.html"))
    names = [name for name in names if name != "index.html" and not name.startswith("_static")]  # which leads on
    faults = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for mode, width in WINDOWS:
            seen, found = look_at_all(browser, mode, width, site, names)
            faults += found
        faults += search(browser.new_page(), site) + dead_links(seen, site)
        browser.close()
    for fault in faults:
        print(fault)
    pictures = sum(found["pictures"] for found in seen.values())
    print(f"{len(names)} pages, {pictures} pictures, {len(WINDOWS)} windows each: {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
