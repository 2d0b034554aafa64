"""Checks of the repository itself; each function named check_* is one test.

    python3 tests/repo/check_repository.py NAME      # without NAME: all of them

A check yields one line for each violation. Standard library only.
"""

import json
import pathlib
import re
import subprocess
import sys
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What a folder of sim/ may include beside itself (CONTRIBUTING.md, Layout).
MAY_INCLUDE = {
    "base": set(),
    "statistics": {"base"},
    "network": {"base"},
    "workload": {"base", "network"},
    "schedule": {"base", "network"},
    "machine": {"base", "network", "schedule"},
    "fault": {"base"},
    "cost": {"base", "schedule", "machine"},  # what blocks are made of: no simulation
    "campaign": {"base", "statistics", "network", "workload", "schedule", "machine", "fault",
                 "cost"},
    "report": {"base", "statistics", "campaign"},  # a campaign's records
    "trace": {"base", "schedule", "machine", "fault"},  # a run that is watched
    "cli": {"base", "statistics", "network", "workload", "schedule", "machine", "fault", "cost", "campaign",
            "report", "trace"},
}
# Where SystemC may be seen, included directly or through other headers.
SYSTEMC = re.compile(r"machine/|cli/|campaign/campaign\.cpp$")
# The cores of the machine, which the campaigns step without SystemC.
SYSTEMC_SHELLS = re.compile(r"machine/(accelerator|modules|block|array_modules|wire|array/(pe_array|pe_registers|union_pe))\.(h|cpp)$")
MAX_LINES = 450


def files():
    """Paths, relative to ROOT, of what is or will be under version control."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        paths = [p for p in listed.stdout.split("\0") if p]
    else:  # a source archive
        hidden = {"build", "out", "results", "node_modules", "__pycache__", ".git"}
        paths = [p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*")
                 if not hidden & set(p.relative_to(ROOT).parts)]
    return sorted(p for p in paths if (ROOT / p).is_file())


def sources():
    return [p for p in files() if p.startswith("sim/") and p.endswith((".h", ".cpp"))]


def includes(path):
    """(line number, quoted include or <systemc>) of a source."""
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<(systemc|tlm|sysc/)[^>]*>)', line)
        if found:
            yield number, found.group(1) or "<systemc>"


def check_dependencies():
    seen = 0
    for path in sources():
        folder = path.split("/")[1]
        for number, name in includes(path):
            target = name.split("/")[0]
            if target not in MAY_INCLUDE:
                continue
            seen += 1
            if target != folder and target not in MAY_INCLUDE[folder]:
                yield f"{path}:{number}: {folder} must not include {name}"
    if seen == 0:
        yield "no include was found: the check itself is broken"


def check_systemc():
    direct = {path[len("sim/"):]: [name for _, name in includes(path)] for path in sources()}
    reaches = {path for path, names in direct.items() if "<systemc>" in names}
    if not reaches:
        yield "no SystemC include was found: the check itself is broken"
    for path in sorted(reaches):
        if not (SYSTEMC_SHELLS.match(path) or path.startswith("cli/")):
            yield f"sim/{path}: includes SystemC, which only the shells in machine/ and cli/ may"
    grown = True
    while grown:
        more = {path for path, names in direct.items() if reaches & set(names)} - reaches
        reaches |= more
        grown = bool(more)
    for path in sorted(reaches):
        if not SYSTEMC.match(path):
            yield f"sim/{path}: sees SystemC through its includes"


def check_length():
    for path in sources():
        lines = len((ROOT / path).read_text().splitlines())
        if lines > MAX_LINES:
            yield f"{path}: {lines} lines, more than {MAX_LINES}: does it hold two ideas?"


def check_schemas():
    seen = 0
    for path in files():
        described = (path.startswith(("configs/", "docs/examples/", "traces/workloads/"))
                     or path.endswith("/network.json"))
        if not (described and path.endswith(".json")):
            continue
        seen += 1
        try:
            document = json.loads((ROOT / path).read_text())
        except ValueError as error:
            yield f"{path}: is not JSON: {error}"
            continue
        schema = document.get("$schema") if isinstance(document, dict) else None
        if path.startswith("configs/schema/"):
            if schema != "http://json-schema.org/draft-07/schema#":
                yield f'{path}: "$schema" is {schema}, not draft 7'
        elif schema is None:
            yield f'{path}: has no "$schema"'
        elif not ((ROOT / path).parent / schema).is_file():
            yield f'{path}: its "$schema" {schema} does not exist'
    if seen == 0:
        yield "no JSON file was found: the check itself is broken"


def check_portability():
    """No path of one machine and no host of a package registry."""
    # In halves, so that this file does not find itself.
    words = ["/wo" "rk/", "/ro" "ot/", "/ho" "me/", "registry." "npmjs", "deb." "debian.org"]
    for path in files():
        data = (ROOT / path).read_bytes()
        for word in words:
            if word.encode() in data:
                line = data[:data.index(word.encode())].count(b"\n") + 1
                yield f"{path}:{line}: names {word}"


def anchors(markdown):
    """The anchors of a Markdown text's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", markdown, re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = "".join(c for c in text
                       if c in " -_" or unicodedata.category(c)[0] in "LN").replace(" ", "-")
        number = 0
        while (slug if number == 0 else f"{slug}-{number}") in found:
            number += 1
        found.add(slug if number == 0 else f"{slug}-{number}")
    return found


def check_links():
    seen = 0
    for path in files():
        if not path.endswith(".md"):
            continue
        text = re.sub(r"^```.*?^```", "", (ROOT / path).read_text(), flags=re.MULTILINE | re.DOTALL)
        prose = re.sub(r"`[^`]*`", "", text)
        links = re.findall(r"\]\(<?([^)\s>]+)", prose) + re.findall(r'(?:src|href)="([^"]+)"', prose)
        for link in links:
            if re.match(r"[a-z]+:", link):
                continue
            seen += 1
            target, _, anchor = link.partition("#")
            file = (ROOT / path).parent / target if target else ROOT / path
            if not file.exists():
                yield f"{path}: {link} does not exist"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
                yield f"{path}: {link}: there is no such heading"
    if seen == 0:
        yield "no link was found: the check itself is broken"


def check_examples():
    """JSON in the documentation is JSON, and what claims a schema is a file of the repository."""
    shipped = [json.loads((ROOT / p).read_text()) for p in files()
               if p.endswith(".json") and p.startswith(("configs/", "docs/examples/"))]
    seen = 0
    for path in files():
        if not path.endswith(".md"):
            continue
        text = (ROOT / path).read_text()
        for found in re.finditer(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            seen += 1
            line = text[:found.start()].count("\n") + 1
            try:
                document = json.loads(found.group(1))
            except ValueError as error:
                yield f"{path}:{line}: is not JSON: {error}"
                continue
            if "$schema" in document and document not in shipped:
                yield f"{path}:{line}: no file in configs/ or docs/examples/ is like this"
    if seen == 0:
        yield "no JSON was found: the check itself is broken"


CHECKS = {name[len("check_"):]: function for name, function in list(globals().items())
          if name.startswith("check_")}


def main():
    names = sys.argv[1:] or list(CHECKS)
    unknown = [n for n in names if n not in CHECKS]
    if unknown:
        sys.exit(f"unknown check {unknown[0]}; known: {', '.join(CHECKS)}")
    violations = [f"{name}: {line}" for name in names for line in CHECKS[name]()]
    print("\n".join(violations) if violations else f"{', '.join(names)}: nothing to report")
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
