"""Writes docs/peers.md: which rules the POP3 servers keep that contrib/peers/run looked at.

In: a folder with a JSON report of `restante check` and a version for each server. Out: the page,
on standard output.
"""

import json
import pathlib
import sys

ORDER = ["restante", "dovecot", "courier", "cyrus", "mailutils", "popa3d"]
MARKS = {"kept": "yes", "broken": "**no**", "untestable": "-"}
FIRST_LINES, LAST_LINES = 6, 10


def reports(folder):
    """Name, version and report of each server that was looked at."""
    for name in ORDER:
        report = folder / f"{name}.json"
        if report.exists():
            version = (folder / f"{name}.version").read_text().strip()
            yield name, version, json.loads(report.read_text())


def head(servers):
    """What the page is, and the versions."""
    yield "# POP3 servers, looked at with `restante check`"
    yield ""
    yield "Written by `contrib/peers/run`, which starts each server as Debian ships it on loopback,"
    yield "with one user and seven small messages, and runs `restante check --may-delete` on it. Where"
    yield "a server has TLS it has a certificate of its own and is spoken to by STLS. The rules are"
    yield "those of `restante check --list`, named after the rows of [conformance.md](conformance.md)."
    yield ""
    yield "| server | version | kept | must broken | should broken | not testable |"
    yield "|---|---|---|---|---|---|"
    for name, version, report in servers:
        findings = report["findings"]

        def count(verdict, level=None):
            return sum(
                finding["verdict"] == verdict and level in (None, finding["level"])
                for finding in findings
            )

        yield (
            f"| {name} | {version} | {count('kept')} | {count('broken', 'must')} |"
            f" {count('broken', 'should')} | {count('untestable')} |"
        )
    yield ""


def table(servers):
    """A row for each rule."""
    yield "## Rule by rule"
    yield ""
    yield "`-` is what cannot be seen there: the extension is not announced, or the state is not to"
    yield "be had."
    yield ""
    yield "| rule | level | says | " + " | ".join(name for name, _, _ in servers) + " |"
    yield "|---|---|---|" + "---|" * len(servers)
    for rows in zip(*(report["findings"] for _, _, report in servers)):
        first = rows[0]
        marks = " | ".join(MARKS[row["verdict"]] for row in rows)
        says = f"{first['rule']} ({first['section']})"
        yield f"| {first['id']} | {first['level']} | {says} | {marks} |"
    yield ""


def breaches(servers):
    """What was said where a rule is broken that must be kept."""
    yield "## What was said"
    yield ""
    yield "For each broken rule that must be kept; the number before `C:` and `S:` is the"
    yield "connection's. Of what is broken that should be kept, only how."
    for name, _, report in servers:
        broken = [f for f in report["findings"] if f["verdict"] == "broken"]
        if not broken:
            continue
        yield ""
        yield f"### {name}"
        for finding in broken:
            yield ""
            yield f"**{finding['id']}**, {finding['level']}: {finding['rule']}. Here: {finding['why']}."
            if finding["level"] != "must":
                continue
            lines = finding["transcript"]
            left = len(lines) - FIRST_LINES - LAST_LINES
            if left > 1:
                between = f"[{left} lines]"
                lines = [*lines[:FIRST_LINES], between, *lines[-LAST_LINES:]]
            yield ""
            yield "```text"
            yield from (line.rstrip() for line in lines)
            yield "```"


def main():
    """Prints the page."""
    servers = list(reports(pathlib.Path(sys.argv[1])))
    for part in (head, table, breaches):
        for line in part(servers):
            print(line)


if __name__ == "__main__":
    main()
