#!/usr/bin/env python3
"""Runs the commands of a Markdown page as they stand there.

    python3 tests/repo/run_page.py PAGE SAGITTA

Each ```sh block is run by bash in the root of a fresh checkout: what the repository ships, SAGITTA
as build/release/sagitta, and nothing else. Every command must succeed. What they write
goes to a folder that is deleted afterwards. Standard library only.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

from check_repository import ROOT, files


def check_out(folder, sagitta):
    for path in files():  # links in folders of their own, so that nothing is written beside files
        link = folder / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(ROOT / path)
    program = folder / "build/release/sagitta"
    program.parent.mkdir(parents=True)
    program.symlink_to(sagitta)


def main():
    page, sagitta = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    if not blocks:
        sys.exit(f"{page}: no command was found")
    with tempfile.TemporaryDirectory() as name:
        check_out(pathlib.Path(name), sagitta)
        for block in blocks:
            run = subprocess.run(["bash", "-exuo", "pipefail", "-c", block], cwd=name, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            print(run.stdout)
            if run.returncode:
                sys.exit(f"{page}: the last of these commands ends with {run.returncode}")


if __name__ == "__main__":
    main()
