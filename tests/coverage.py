#!/usr/bin/env python3
"""Prints which share of each file's lines the tests have run, the least covered first.

Usage: coverage.py BUILD_FOLDER, after the tests of a build with CHATSCALE_COVERAGE. A line of a header
counts as run when it has run in any program. Uses gcov, which comes with gcc, and nothing else.
"""
import collections
import json
import os
import subprocess
import sys

build = os.path.realpath(sys.argv[1])
root = os.getcwd()
notes = [os.path.join(folder, name) for folder, _, names in os.walk(build) for name in names if name.endswith(".gcno")]
if not notes:
    sys.exit(f"{build} holds no .gcno files: is it a coverage build?")
lines = collections.defaultdict(dict)
for start in range(0, len(notes), 100):
    output = subprocess.run(["gcov", "--json-format", "--stdout", *notes[start : start + 100]], cwd=build,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    for document in output.splitlines():
        for file in json.loads(document)["files"]:
            name = os.path.relpath(os.path.realpath(os.path.join(build, file["file"])), root)
            if name.startswith(("..", "tests/", "build/")):
                continue
            for line in file["lines"]:
                number = line["line_number"]
                lines[name][number] = lines[name].get(number, 0) + line["count"]

rows = [(sum(1 for count in file.values() if count), len(file), name) for name, file in lines.items() if file]
print("covered   lines  file")
for run, total, name in sorted(rows, key=lambda row: row[0] / row[1]):
    print(f"{run / total:7.1%} {total:7}  {name}")
run, total = sum(row[0] for row in rows), sum(row[1] for row in rows)
print(f"{run / max(total, 1):7.1%} {total:7}  all")
