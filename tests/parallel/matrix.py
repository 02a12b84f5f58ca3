#!/usr/bin/env python3
"""Holds a scenario's result under one mode of running to the result of one thread, byte for byte.

Usage: matrix.py MODE REFERENCE SCENARIO [ARGUMENT...]
MODE is threads=N, scheduler=plain, or cells=N: nodes grouped by a hash into N cells, on three threads.
threads=1 writes REFERENCE, every other mode compares with it.
What only this machine knows (wall clock, threads) stands under "host" in the result and is left out;
numbers are compared as they are written. The binary is $CHATSCALE.
"""
import json
import os
import shlex
import subprocess
import sys


def facts(text):
    """The result without "host", in the order and the digits in which it was written."""
    pairs = json.loads(text, object_pairs_hook=lambda p: ("object", p), parse_int=str, parse_float=str)
    if pairs[0] != "object" or "host" not in dict(pairs[1]):
        sys.exit('the result is no object with a "host" in it')
    return ("object", [(name, value) for name, value in pairs[1] if name != "host"])


def difference(a, b, path="$"):
    """The first place where two results differ, as a sentence; None where they are the same."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        if [name for name, _ in a[1]] != [name for name, _ in b[1]]:
            return f"{path}: other members"
        steps = [(f"{path}.{name}", x, y) for (name, x), (_, y) in zip(a[1], b[1])]
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        steps = [(f"{path}[{i}]", x, y) for i, (x, y) in enumerate(zip(a, b))]
    else:
        return None if a == b else f"{path}: {a} and {b}"[:300]
    return next((found for step in steps if (found := difference(step[1], step[2], step[0]))), None)


def main():
    mode, reference, scenario, *arguments = sys.argv[1:]
    command = [os.environ["CHATSCALE"], "run", scenario, "--json", "--quiet", *arguments]
    option, value = mode.split("=")
    command += ["--" + option, value]
    if option == "cells":
        command += ["--threads", "3"]
    print("repeat:", shlex.join(command))
    run = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if run.returncode != 0:
        sys.exit(f"exit status {run.returncode}")
    text = run.stdout.decode()
    result = facts(text)
    if mode == "threads=1":
        with open(reference, "w", encoding="utf-8") as file:
            file.write(text)
        return
    with open(reference, encoding="utf-8") as file:
        found = difference(facts(file.read()), result)
    if found:
        sys.exit(f"one thread and {mode} differ at {found}")


main()
