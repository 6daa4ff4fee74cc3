"""Runs the scenarios of one client and says how each went, a line each, for `run` to count."""

import os
import sys
import time
import traceback

import grpc

ADDRESS = os.environ["SKALD_ADDRESS"]
"""Where the server listens, as http://127.0.0.1:PORT."""

TIMEOUT_S = 20
"""How long anything may take on a busy machine."""


def channel():
    """A connection to the server."""
    return grpc.insecure_channel(ADDRESS.removeprefix("http://"))


def poll(what, condition):
    """Asks again and again until the condition gives something; for what nobody announces."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {TIMEOUT_S} s")


def expect(actual, expected, what):
    """An assertion that shows both sides, also under `python -O`."""
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {actual!r}")


def main(client, scenarios, *tools):
    """Runs all of them with the same tools, also after a failure, and ends the process."""
    failed = 0
    for scenario in scenarios:
        name = f"{client}: {scenario.__name__.replace('_', ' ')}"
        try:
            scenario(*tools)
            print(f"ok {name}", flush=True)
        except Exception:
            failed += 1
            traceback.print_exc()
            print(f"FAILED {name}", flush=True)
    sys.exit(1 if failed else 0)
