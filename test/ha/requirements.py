"""Prints what Home Assistant would install when it starts: the requirements of the integrations that it always loads, of those
that are named, and of all that these depend on. Run by the Python that `homeassistant` is installed for."""

import json
import sys
from pathlib import Path

import homeassistant
from homeassistant import bootstrap

COMPONENTS = Path(homeassistant.__file__).parent / "components"


def manifest(domain):
    try:
        return json.loads((COMPONENTS / domain / "manifest.json").read_text())
    except FileNotFoundError:
        return {}


def main(named):
    waiting = {*named, *bootstrap.CORE_INTEGRATIONS, *bootstrap.DEFAULT_INTEGRATIONS}
    for _, stage, _ in bootstrap.STAGE_0_INTEGRATIONS:
        # Those that are there only if someone asks for them.
        waiting |= stage - {"sentry", "debugpy", "zeroconf"}
    seen, found = set(), set()
    while waiting:
        domain = waiting.pop()
        seen.add(domain)
        facts = manifest(domain)
        found.update(facts.get("requirements", []))
        waiting |= {*facts.get("dependencies", [])} - seen
    print("\n".join(sorted(found)))


main(sys.argv[1:])
