"""Checks the examples of the generated reference: check_examples.py SECTILE_OPT PAGE.md...

Every ```mlir block must parse, verify and survive a round trip through text and bytecode. Under a pass, two blocks with the single word "becomes"
between them are what the pass reads and what it leaves: it is run and the results are compared, both
printed by sectile-opt after `cse` (which also drops what is dead). Where the second block only
declares functions, the pass must leave functions of these names and types.

Every op, attribute, type and pass of a page must have an example, and the text must speak of every operand,
result and attribute of an op.
"""

import re
import subprocess
import sys
from pathlib import Path

HEADING = re.compile(r"^### `?-?([^` ]+)`?", re.M)
BLOCK = re.compile(r"^```mlir\n(.*?)^```$", re.M | re.S)
# A symbol and its type in the generic form of an op.
FUNCTION = re.compile(r'function_type = (.*?), .*?sym_name = "(.*?)"')


OPERAND = re.compile(r"^\| `(\w+)` \|", re.M)
ATTRIBUTE = re.compile(r"<code>(\w+)</code>")
SYNTAX = re.compile(r"^Syntax:\n\n```\n.*?^```$", re.M | re.S)
# What functions and symbols have in any dialect.
COMMON = {"sym_name", "function_type", "arg_attrs", "res_attrs"}


def run(program, text, *arguments):
    done = subprocess.run([program, *arguments, "-"], input=text, text=True, capture_output=True)
    return done.stdout, (done.stderr.strip() or "failed") if done.returncode else ""


def check_pass(program, name, before, after):
    result, error = run(program, before, "--" + name, "--cse")
    if error:
        return error
    expected, error = run(program, after, "--cse")
    if error:
        return error
    if "{" not in after:
        generic = [set(FUNCTION.findall(run(program, text, "--mlir-print-op-generic")[0]))
                   for text in (result, expected)]
        missing = generic[1] - generic[0]
        return f"the pass leaves no {sorted(missing)}" if missing or not generic[1] else ""
    return "" if result == expected else f"the pass leaves\n{result}but the page says\n{expected}"


def find_undescribed(section):
    """Operands, results and attributes that the prose does not name."""
    prose, *_ = SYNTAX.sub("", section).partition("\n#### ")
    names = OPERAND.findall(section) + ATTRIBUTE.findall(section)
    return [name for name in names if name not in COMMON and not re.search(rf"\b{name}\b", prose)]


def check_page(program, path):
    text = Path(path).read_text(encoding="utf-8")
    starts = list(HEADING.finditer(text))
    for heading, following in zip(starts, starts[1:] + [None]):
        name = heading[1]
        section = text[heading.end():following.start() if following else len(text)]
        blocks = list(BLOCK.finditer(section))
        if not blocks:
            yield name, "has no example"
        yield name, ", ".join(f"does not speak of '{word}'" for word in find_undescribed(section))
        for block in blocks:
            yield name, run(program, block[1], "--verify-roundtrip")[1]
        for first, second in zip(blocks, blocks[1:]):
            if section[first.end():second.start()].strip() == "becomes":
                yield name, check_pass(program, name, first[1], second[1])


def main():
    program, *pages = sys.argv[1:]
    failures = count = 0
    for page in pages:
        for name, error in check_page(program, page):
            count += 1
            if error:
                failures += 1
                print(f"{page}: {name}: {error}")
    print(f"{count - failures} passed, {failures} failed, 0 skipped")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
