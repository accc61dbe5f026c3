"""Enforces deny.toml: licences, banned crates, sources.

In: deny.toml, Cargo.toml, `cargo metadata` and `cargo tree` of the workspace. Out: one line per
breach on standard error, exit status 1 if there is one. The advisory database is not consulted.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def cargo(*arguments):
    """What cargo prints for these arguments."""
    done = subprocess.run(
        ["cargo", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def active_packages(targets):
    """Name and version of every crate that is compiled for one of the targets.

    The lock file also lists optional dependencies that nothing turns on; the tree does not.
    """
    found = set()
    for target in targets:
        tree = cargo(
            "tree", "--workspace", "--locked", "--target", target,
            "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}",
        )
        for line in tree.splitlines():
            if line:
                name, version = line.split()[:2]
                found.add((name, version.removeprefix("v")))
    return found


def licence_allowed(expression, allowed):
    """Whether an SPDX expression can be met with the allowed licences.

    expression = term *("OR" term) ; term = factor *("AND" factor)
    factor = "(" expression ")" / licence ["WITH" exception]
    """
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def alternatives():
        met = combination()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            met = combination() or met
        return met

    def combination():
        met = factor()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            met = factor() and met
        return met

    def factor():
        token = tokens.pop(0)
        if token == "(":
            met = alternatives()
            tokens.pop(0)
            return met
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return token in allowed

    return alternatives()


def breaches():
    """One sentence per breach."""
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    allowed = set(rules["licenses"]["allow"])
    banned = {ban["crate"] for ban in rules["bans"]["deny"]}
    registries = {f"registry+{address}" for address in rules["sources"]["allow-registry"]}
    active = active_packages(rules["graph"]["targets"])
    seen = 0
    for package in json.loads(cargo("metadata", "--format-version", "1", "--locked"))["packages"]:
        name, version, source = package["name"], package["version"], package["source"]
        if (name, version) not in active:
            continue
        seen += 1
        if name in banned:
            yield f"{name} {version} is banned (cargo tree --invert {name})"
        licence = package["license"]
        if licence is None:
            yield f"{name} {version} states no licence"
        elif not licence_allowed(licence, allowed):
            yield f"{name} {version} is under {licence}, which is not allowed"
        if source is not None and source not in registries:
            yield f"{name} {version} comes from {source}, which is not allowed"
        if source is None:
            for dependency in package["dependencies"]:
                if dependency["req"] == "*" and "path" not in dependency:
                    yield f"{name} asks for any version of {dependency['name']}"
    if seen != len(active):
        yield f"cargo tree knows {len(active)} crates, cargo metadata {seen} of them"


def main():
    """Prints the breaches."""
    found = list(breaches())
    for breach in found:
        print(f"deny: {breach}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
