"""Fails where a package that flowmap is built with may not be passed on under MIT or Apache-2.0: of each part of its licence (SPDX
expression) one alternative must be on the list.

    cargo metadata --format-version 1 | licences.py
"""
import json
import re
import sys

PERMISSIVE = {"0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CDLA-Permissive-2.0",
              "ISC", "MIT", "Unicode-3.0", "Unlicense", "Zlib"}


def is_permissive(expression):
    """Of the forms that packages use: alternatives by `OR` or `/`, parts by `AND`, one level of brackets."""
    parts = re.sub(r"\(([^()]*)\)", lambda inner: inner[1].replace(" OR ", "/"), expression).split(" AND ")
    return all(any(one.strip() in PERMISSIVE for one in re.split(r" OR |/", part)) for part in parts)


packages = json.load(sys.stdin)["packages"]
refused = [f"{package['name']} {package['version']}: {package['license']}" for package in packages
           if not is_permissive(package["license"] or "not stated")]
if refused:
    sys.exit("licences that do not go with MIT OR Apache-2.0:\n  " + "\n  ".join(sorted(refused)))
print(f"licences of {len(packages)} packages go with MIT OR Apache-2.0")
