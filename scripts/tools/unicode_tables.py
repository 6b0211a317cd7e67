"""Writes scripts/pt/data/tokenizer/unicode_tables.lua from Python's unicodedata: what tokenizers need of Unicode.

usage: python3 scripts/tools/unicode_tables.py scripts/pt/data/tokenizer/unicode_tables.lua

Numbers are of base 36. Code points are written as the distance from the one before.
"""
import sys
import unicodedata as u

LAST = 0x110000
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def number(n):
    text = ""
    while n or not text:
        text, n = DIGITS[n % 36] + text, n // 36
    return text


def runs(value):
    """(first code point, value) of each run of equal values."""
    out, before = [], None
    for c in range(LAST):
        v = value(chr(c))
        if v != before:
            out.append((c, v))
            before = v
    return out


def table(entries):
    """"distance:a,b;" of each code point and the numbers that it has."""
    out, at = [], 0
    for c, numbers in entries:
        out.append(number(c - at) + ":" + ",".join(map(number, numbers)))
        at = c
    return ";".join(out)


def points(text):
    return [ord(c) for c in text]


def is_hangul(c):
    return 0xAC00 <= c < 0xD7A4


every = [c for c in range(LAST) if not 0xD800 <= c < 0xE000 and not is_hangul(c)]
category, at = [], 0
for c, name in runs(u.category):
    category.append(number(c - at) + name)
    at = c
nfd = {c: points(u.normalize("NFD", chr(c))) for c in every}
nfkd = {c: points(u.normalize("NFKD", chr(c))) for c in every}
pairs = []  # what two code points compose to
for c in every:
    parts = u.decomposition(chr(c)).split()
    if len(parts) == 2 and parts[0][0] != "<" and u.normalize("NFC", chr(c)) == chr(c):
        pairs.append((c, [int(p, 16) for p in parts]))
tables = {
    "category": "".join(category),
    "class": table((c, [u.combining(chr(c))]) for c in every if u.combining(chr(c))),
    "lower": table((c, points(chr(c).lower())) for c in every if chr(c).lower() != chr(c)),
    "nfd": table((c, d) for c, d in nfd.items() if d != [c]),
    "nfkd": table((c, d) for c, d in nfkd.items() if d != nfd[c]),
    "pairs": table(pairs),
}
with open(sys.argv[1], "w") as f:
    f.write(f"-- Unicode {u.unidata_version}, by scripts/tools/unicode_tables.py.\nreturn {{\n")
    for name, text in tables.items():
        lines = [text[i:i + 118] for i in range(0, len(text), 118)]
        f.write(f"  {name} = [[\n" + "\n".join(lines) + "]],\n")
    f.write("}\n")
