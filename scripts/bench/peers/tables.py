"""Writes measured figures into the tables of Markdown files.

  python3 scripts/bench/peers/tables.py build/bench/speed.json FILE.md ...

A row that ends with the comment `<!-- NAME of a workload -->` gets ptlua's time, PyTorch's and how many times as long
that is, on one thread (four cells), or time and ratio on one thread and on two, before its last cell (six). Prints what
stands behind; what the file of figures lacks stays as it is.
"""
import json
import re
import sys


def time_of(seconds):
    for unit, scale in (("us", 1e6), ("ms", 1e3), ("s", 1)):
        value = seconds * scale
        if value < 1000 or unit == "s":
            return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"


def cells_of(label, rest, found):
    if len(rest) == 3:
        one = found.get(1)
        return one and [label, time_of(one["ptlua"]), time_of(one["pytorch"]), f"{one['ratio']:.2f}x"]
    cells = [label]
    for threads in (1, 2):
        row = found.get(threads)
        if not row:
            return None
        cells += [time_of(row["ptlua"]), f"{row['ratio']:.2f}"]
    return cells + rest[4:]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        measured = json.load(file)
    rows = {}
    for row in measured["rows"]:
        rows.setdefault(row["name"], {})[row["threads"]] = row

    def line_of(match):
        label, *rest = (cell.strip() for cell in match[1].strip("| ").split("|"))
        cells = cells_of(label, rest, rows.get(match[2], {}))
        if cells is None:
            print(f"{path}: no figures for {match[2]}")
            return match[0]
        return f"| {' | '.join(cells)} | <!-- {match[2]} -->"

    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"^(\|.*\|) <!-- (.+?) -->$", line_of, text, flags=re.M)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
