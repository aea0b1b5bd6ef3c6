#!/usr/bin/env python3
"""Draws a terminal with the true output of flowmap on samples/production: scripts/picture.py FILE.svg

Run by `make picture`, which puts the built flowmap first in PATH. It needs nothing but Python's own library.
"""
import html
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# Prepared in silence: the picture shows what one looks at, not what one waits for.
PREPARE = [
    "flowmap import samples/production/*.pcap",
    "flowmap inventory import samples/production/cluster.json",
]
SHOWN = [
    "flowmap flows --namespace production",
    "flowmap suggest --namespace production",
    "cat policies-out/production/db.yaml",
]

FONT_PX = 14
CHARACTER_PX = 8.4  # the width of most monospaced fonts at this size; every line is set to it
LINE_PX = 18
MARGIN_PX = 16
BAR_PX = 30

# One dark window with a border of its own reads on a light page and on a dark one.
STYLE = f"""
.window {{ fill: #16191d; stroke: #4b535d; }}
.bar {{ fill: #2a2f36; }}
.dot {{ fill: #59626d; }}
text {{ font: {FONT_PX}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d8dee6; white-space: pre; }}
.prompt {{ fill: #6fbf73; }}
.command {{ fill: #ffffff; font-weight: bold; }}
.comment {{ fill: #9aa5b1; }}
"""


def run(command, environment):
    """The command's output, errors among it; a command that fails ends the drawing."""
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(f"picture: {command}: exit {done.returncode}\n{done.stdout}")
    return done.stdout.rstrip("\n").split("\n")


def session():
    """Lines as (class, text); a prompt line has the class `command`."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "FLOWMAP_DB": f"{scratch}/flowmap.db", "LC_ALL": "C.UTF-8"}
        for command in PREPARE:
            run(command, environment)
        for n, command in enumerate(SHOWN):
            if n > 0:
                yield "", ""
            yield "command", command
            for line in run(command, environment):
                yield ("comment" if line.startswith("#") else ""), line


def text(kind, line, y):
    """One line. Its length is set, so that columns stand under each other in any font."""
    if not line:
        return ""
    shown = html.escape(line, quote=False)
    body = f'<tspan class="prompt">$</tspan><tspan class="command"> {shown}</tspan>' if kind == "command" else shown
    columns = len(line) + (2 if kind == "command" else 0)
    length = f'textLength="{columns * CHARACTER_PX:.1f}" lengthAdjust="spacingAndGlyphs"'
    name = ' class="comment"' if kind == "comment" else ""
    return f'<text xml:space="preserve"{name} x="{MARGIN_PX}" y="{y}" {length}>{body}</text>\n'


def draw(lines):
    columns = max(len(line) + (2 if kind == "command" else 0) for kind, line in lines)
    width = round(columns * CHARACTER_PX) + 2 * MARGIN_PX
    height = BAR_PX + len(lines) * LINE_PX + 2 * MARGIN_PX
    first = BAR_PX + MARGIN_PX + FONT_PX
    rows = "".join(text(kind, line, first + n * LINE_PX) for n, (kind, line) in enumerate(lines))
    dots = "".join(f'<circle class="dot" cx="{20 + n * 18}" cy="{BAR_PX // 2}" r="5"/>' for n in range(3))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">
<title>flowmap on the command line: flows, suggest, one of the policies</title>
<style>{STYLE}</style>
<rect class="window" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>
<path class="bar" d="M1 {BAR_PX} V9 a8 8 0 0 1 8 -8 H{width - 9} a8 8 0 0 1 8 8 V{BAR_PX} Z"/>
{dots}
{rows}</svg>
"""


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = Path(sys.argv[1]).resolve()
    os.chdir(Path(__file__).resolve().parent.parent)
    target.write_text(draw(list(session())), encoding="utf-8")


if __name__ == "__main__":
    main()
