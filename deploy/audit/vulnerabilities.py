"""Compare the locked packages with the known vulnerabilities. Exit 1 if one has any, or if one
could not be compared: an audit that saw nothing has found nothing.

pip-audit asks PyPI for the page of each locked version, /pypi/NAME/VERSION/json. It exits 0 when a
server has no such page, which a mirror of PyPI often has not."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
OPTIONS = ("--progress-spinner", "off", "--disable-pip", "--require-hashes", "--format", "json")
WHERE = "run this where pypi.org itself can be reached"


def verdict(packages: list[dict[str, Any]]) -> list[str]:
    "What is wrong with the packages of a report of pip-audit, a line each; empty if nothing is."
    found = [
        f"{package['name']} {package['version']}: {problem['id']}, "
        f"fixed in {', '.join(problem['fix_versions']) or 'no version yet'}"
        for package in packages
        for problem in package.get("vulns", ())
    ]
    unknown = [package for package in packages if "skip_reason" in package]
    if unknown:
        found.append(
            f"{len(unknown)} of {len(packages)} packages could not be checked, because the server "
            f"has no page for the locked version ({unknown[0]['name']} is the first): {WHERE}"
        )
    return found


def main() -> int:
    "Ask, print, and say with the exit code whether all packages are sound."
    tool = Path(sys.executable).parent / "pip-audit"
    command = [tool, *OPTIONS, "--requirement", ROOT / "requirements.lock"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        reason = done.stderr.strip().splitlines() or ["it gave no reason"]
        print(f"pip-audit found out nothing: {reason[-1]}; {WHERE}", file=sys.stderr)
        return 1
    wrong = verdict(packages)
    print("\n".join(wrong) or f"{len(packages)} packages: no known vulnerability")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
