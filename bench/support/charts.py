"""Charts as SVG, each for light and for dark pages: charts.py draws, report.py says what."""
import html
import math

WIDTH = 720
FONT = "font-family='system-ui, sans-serif' font-size='13'"
THEMES = {
    "light": {"paper": "#ffffff", "ink": "#1f2328", "faint": "#59636e", "grid": "#d8dee4", "ours": "#0969da",
              "theirs": ["#8c4a00", "#1a7f37", "#8250df", "#bf3989", "#4d6a00", "#cf222e", "#6e7781"]},
    "dark": {"paper": "#0d1117", "ink": "#e6edf3", "faint": "#9198a1", "grid": "#30363d", "ours": "#58a6ff",
             "theirs": ["#e3b341", "#56d364", "#bc8cff", "#f778ba", "#a5c76b", "#ff7b72", "#9198a1"]},
}


def text(x, y, what, colour, anchor="start", weight="normal"):
    return (f"<text x='{x:.1f}' y='{y:.1f}' fill='{colour}' text-anchor='{anchor}' font-weight='{weight}'>"
            f"{html.escape(what)}</text>")


def page(height, theme, title, parts):
    return "\n".join([f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' role='img' {FONT}>",
                      f"<title>{html.escape(title)}</title>",
                      f"<rect width='{WIDTH}' height='{height}' rx='6' fill='{theme['paper']}'/>",
                      text(16, 26, title, theme["ink"], weight="600"), *parts, "</svg>", ""])


def amount(value):
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def bars(title, rows, theme):
    """A horizontal bar for each of (label, value, is_ours); a value of None says that it could not."""
    left, right, step, top = 250, 80, 26, 44
    most = max(value for _, value, _ in rows if value is not None)
    parts = []
    for i, (label, value, is_ours) in enumerate(rows):
        y = top + i * step
        weight = "600" if is_ours else "normal"
        parts.append(text(left - 10, y + 14, label, theme["ink"], "end", weight))
        if value is None:
            parts.append(text(left, y + 14, "could not", theme["faint"]))
            continue
        width = max(2, value / most * (WIDTH - left - right))
        parts.append(f"<rect x='{left}' y='{y + 2}' width='{width:.1f}' height='16' rx='2' "
                     f"fill='{theme['ours'] if is_ours else theme['grid']}'/>")
        parts.append(text(left + width + 6, y + 14, amount(value), theme["ink"], weight=weight))
    return page(top + step * len(rows) + 12, theme, title, parts)


def spread(wanted, least):
    """Heights for labels near those that are wanted, so far apart that they can be read."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    heights = list(wanted)
    for before, after in zip(order, order[1:]):
        heights[after] = max(heights[after], heights[before] + least)
    return heights


def lines(title, ticks, series, floor, theme):
    """A line for each of (label, values, is_ours) over the ticks' labels, evenly apart; heights by logarithm.

    A value of None ends its line: it could not. What is below `floor` is drawn there.
    """
    left, right, top, bottom, height = 70, 210, 50, 44, 380
    most = max(value for _, values, _ in series for value in values if value is not None)
    lowest, highest = math.floor(math.log10(floor)), math.ceil(math.log10(most))

    def x_of(i):
        return left + i * (WIDTH - left - right) / (len(ticks) - 1)

    def y_of(value):
        share = (math.log10(max(value, floor)) - lowest) / (highest - lowest)
        return height - bottom - share * (height - top - bottom)

    parts = []
    for power in range(lowest, highest + 1):
        y = y_of(10 ** power)
        parts.append(f"<line x1='{left}' x2='{WIDTH - right}' y1='{y:.1f}' y2='{y:.1f}' stroke='{theme['grid']}'/>")
        parts.append(text(left - 8, y + 4, f"{10 ** power:g} MiB", theme["faint"], "end"))
    for i, tick in enumerate(ticks):
        parts.append(text(x_of(i), height - bottom + 22, tick, theme["faint"], "middle"))

    colours = iter(theme["theirs"])
    drawn = []
    for label, values, is_ours in series:
        points = [(x_of(i), y_of(value)) for i, value in enumerate(values) if value is not None]
        if points:
            drawn.append((label, points, is_ours, theme["ours"] if is_ours else next(colours), values[-1] is None))
    heights = spread([points[-1][1] for _, points, *_ in drawn], 16)
    for (label, points, is_ours, colour, failed), y in zip(drawn, heights):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='{3.5 if is_ours else 1.8}'/>")
        parts.append(f"<circle cx='{points[-1][0]:.1f}' cy='{points[-1][1]:.1f}' r='3' fill='{colour}'/>")
        parts.append(text(WIDTH - right + 12, y + 4, label + (" (fails)" if failed else ""), colour,
                          weight="600" if is_ours else "normal"))
    return page(height, theme, title, parts)
