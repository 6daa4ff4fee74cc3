"""A client in a web page: headless Chromium opens a page of the server's and speaks gRPC-Web with it (`grpc_web.js`).

The page is driven, and what it shows is read, over the DevTools protocol.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import websocket
from ticketing.orchestrator.v1 import checkout_pb2, saga_pb2

import scenario
from box_office import PRICE, BoxOffice, order, saga_of
from scenario import ADDRESS, TIMEOUT_S, expect, poll

OFFICE = BoxOffice(scenario.channel())
NOBODY = "checkouts/0192f7c0-0000-7000-8000-000000000000"
NAMES = ["chromium", "chromium-browser", "google-chrome"]


class Browser:
    """A headless Chromium with one page open, for as long as it is entered."""

    def __init__(self, profile: str):
        binary = next(filter(None, map(shutil.which, NAMES)), None)
        if binary is None:
            raise FileNotFoundError(f"none of {', '.join(NAMES)} is installed")
        arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        # Its sandbox refuses to run for root.
        arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
        arguments += ["--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
        self.profile = profile
        with open(Path(profile, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([binary, *arguments], stdout=log, stderr=log)
        self.sent, self.session = 0, None

    def __enter__(self):
        try:
            port, path = poll("Chromium to start", lambda: self._devtools(Path(self.profile, "DevToolsActivePort")))
            url = f"ws://127.0.0.1:{port}{path}"
            self.socket = websocket.create_connection(url, timeout=TIMEOUT_S, suppress_origin=True)
            page = self.command("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.command("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _devtools(self, file: Path):
        if self.process.poll() is not None:
            log = file.with_name("log").read_text()
            raise ChildProcessError(f"Chromium ended with {self.process.returncode}: {log}")
        lines = file.read_text().split() if file.exists() else []
        return lines if len(lines) == 2 else None

    def command(self, method: str, **params):
        """Sends a command and returns its result; events in between are passed over."""
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": params}
        self.socket.send(json.dumps(message | ({"sessionId": self.session} if self.session else {})))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.sent:
                break
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def evaluate(self, expression: str):
        """What an expression in the page comes to."""
        found = self.command("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(f"{expression[:60]}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def open(self, url: str):
        """Goes to a page and waits until it is there."""
        went = self.command("Page.navigate", url=url)
        expect(went.get("errorText"), None, f"opening {url}")
        there = f"document.readyState == 'complete' && location.href == '{url}' && !document.getElementById('ended')"
        poll(url, lambda: self._is(there))

    def _is(self, condition: str) -> bool:
        try:
            return self.evaluate(condition)
        except AssertionError:
            # Between two pages there is none to ask.
            return False

    def shown(self, element: str) -> str:
        """The text of an element of the page."""
        return self.evaluate(f"document.getElementById({json.dumps(element)}).textContent")


def shows(browser: Browser, method: str, checkout: str):
    """Has the page call a method; what it shows then is up to the server."""
    # Its own page, with the content policy that comes with it.
    browser.open(f"{ADDRESS}/sagas")
    browser.evaluate(Path(__file__).with_name("grpc_web.js").read_text())
    browser.evaluate(f"void show({json.dumps(method)}, {json.dumps(checkout)})")


def ended(browser: Browser) -> str:
    """How the page says that its call ended."""
    return poll("the call to end", lambda: browser.shown("ended"))


def a_page_reads_a_checkout(browser: Browser):
    checkout = OFFICE.checkouts.CreateCheckout(order(OFFICE.hold(), wait_s=TIMEOUT_S))
    list(OFFICE.checkouts.WatchCheckout(checkout_pb2.WatchCheckoutRequest(name=checkout.name)))
    shows(browser, "GetCheckout", checkout.name)
    expect(ended(browser), "grpc-status 0", "how the call ended")
    shown = [browser.shown(element) for element in ("name", "amount", "state")]
    expect(shown, [checkout.name, str(PRICE), "COMPLETED"], "what the page shows")


def a_page_watches_a_checkout_live(browser: Browser):
    checkout = OFFICE.waiting().checkout
    shows(browser, "WatchCheckout", checkout.name)
    expect(poll("the first version", lambda: browser.shown("state")), "RUNNING", "an open checkout")
    expect(browser.shown("ended"), "", "how the call ended while the checkout is open")
    OFFICE.sagas.ResumeSaga(saga_pb2.ResumeSagaRequest(name=saga_of(checkout), reason="go on"))
    expect(ended(browser), "grpc-status 0", "how the call ended")
    expect(browser.shown("state"), "COMPLETED", "the last version")


def a_page_is_told_what_does_not_exist(browser: Browser):
    shows(browser, "GetCheckout", NOBODY)
    expect(ended(browser), "grpc-status 5 CHECKOUT_NOT_FOUND", "how the call ended")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, Browser(profile) as browser:
        scenarios = [a_page_reads_a_checkout, a_page_watches_a_checkout_live, a_page_is_told_what_does_not_exist]
        scenario.main("chromium", scenarios, browser)
