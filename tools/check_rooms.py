#!/usr/bin/env python3
"""Checks that each room includes only what tools/rooms.txt lets it see, and each library stands behind one door.

Usage: check_rooms.py ROOT. Prints a line a violation (file:line: why) and exits 1 when there is one.
"""
import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_rules(path):
    rooms, doors = {}, []
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        head, _, tail = line.partition(":")
        if head.startswith("@"):
            doors.append((head[1:].strip(), tail.split()))
        else:
            rooms[head.strip()] = set(tail.split()) | {head.strip()}
    return rooms, doors


def upward(rooms):
    """The picture has no upward arrow: a room may see only rooms listed before it."""
    seen = []
    for name, sees in rooms.items():
        for other in sees - {name}:
            if other not in seen:
                yield f"tools/rooms.txt: '{name}' may not see '{other}', which stands below it in the list"
        seen.append(name)


def check_file(root, file, rooms, doors):
    relative = file.relative_to(root / "src").as_posix()
    room = relative.split("/")[0]
    if room not in rooms:
        yield f"src/{relative}:1: room '{room}' is not in tools/rooms.txt"
        return
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        name = found[2]
        where = f"src/{relative}:{number}"
        if found[1] == '"':
            target = name.split("/")[0]
            if "/" not in name:
                yield f"{where}: write \"{room}/{name}\", not \"{name}\""
            elif target not in rooms[room]:
                yield f"{where}: room '{room}' may not include '{name}' (allowed: {' '.join(sorted(rooms[room]))})"
            elif not (root / "src" / name).exists():
                yield f"{where}: '{name}' does not exist"
            elif room in ("cli", "serve") and target == "engine" and name != "engine/pythia.h":
                yield f"{where}: cli and serve see engine/pythia.h only, not '{name}'"
            continue
        for library, allowed in doors:
            if (name == library or (library.endswith("/") and name.startswith(library))) and not any(
                relative == a or (a.endswith("/") and relative.startswith(a)) for a in allowed
            ):
                yield f"{where}: <{name}> may be included by {' '.join(allowed)} only"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    rooms, doors = read_rules(root / "tools" / "rooms.txt")
    problems = list(upward(rooms))
    files = sorted(p for p in (root / "src").rglob("*") if p.suffix in (".c", ".h", ".inc"))
    for file in files:
        problems += check_file(root, file, rooms, doors)
    for problem in problems:
        print(problem)
    print(f"{len(files)} files, {len(rooms)} rooms, {len(problems)} violations")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
