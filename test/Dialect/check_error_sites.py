"""Checks that every error a dialect reports has a test: check_error_sites.py SOURCE

An error site is a statement with `emitOpError(`, `emitError(` or `emitError()` in dialects/*/IR
or lib/Numbers, which verifiers share. Its literals, in order and with anything between them, must match an expected-error under test/Dialect.
"""

import re
import sys
from pathlib import Path

# Reported to callers in C++ only: the parser refuses such text itself.
UNREACHABLE = {"expects non-negative extents, but got ",
               "expects the canonical text '', but got ''"}

SITE = re.compile(r"emit(?:Op)?Error\((.*?);\n", re.S)
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
EXPECTED = re.compile(r"expected-error[^{]*\{\{(.*?)\}\}")


def main():
    root = Path(sys.argv[1])
    expected = [text for path in root.glob("test/Dialect/**/*.mlir")
                for text in EXPECTED.findall(path.read_text(encoding="utf-8"))]
    sites, missing = 0, []
    for path in sorted([*root.glob("dialects/*/IR/*.cpp"), *root.glob("lib/Numbers/*.cpp")]):
        text = path.read_text(encoding="utf-8")
        for site in SITE.finditer(text):
            # Of a choice between two words, either will do.
            body = re.sub(r'\? "(\w+)" : "(\w+)"', "", site[1])
            literals = LITERAL.findall(body)
            if not literals or "".join(literals) in UNREACHABLE:
                continue
            sites += 1
            pattern = re.compile(".*".join(map(re.escape, literals)))
            if not any(pattern.search(message) for message in expected):
                line = text.count("\n", 0, site.start()) + 1
                missing.append(f"{path}:{line}: no test expects '{'...'.join(literals)}'")
    print(*missing, sep="\n")
    print(f"{sites - len(missing)} passed, {len(missing)} failed, 0 skipped")
    return bool(missing) or not sites


if __name__ == "__main__":
    sys.exit(main())
