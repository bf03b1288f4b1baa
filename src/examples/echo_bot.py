#!/usr/bin/env python3
"""A bot that answers every text with the same text, each exactly once. Python 3.11, nothing but its standard library.

    python3 src/examples/echo_bot.py [HOME]

It asks the daemon over the unix socket in its home. What the consumer has acknowledged is never handed out again; what
it has not, is. The Idempotency-Key of an answer is made from the event's number, so an answer that was sent
before a crash is not sent again after it.
"""

import http.client
import json
import os
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

CONSUMER = "echo-bot-py"
WAIT_SECONDS = 25


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=WAIT_SECONDS + 15)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Refused(Exception):
    """A problem document: status and code are stable, the rest is for people."""

    def __init__(self, status, problem):
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail')}")
        self.status = status
        self.retry_after = problem.get("retryAfterSeconds", 1)


class Client:
    """One connection to the daemon, opened anew when it breaks."""

    def __init__(self, home):
        self.home = Path(home)
        self.connection = None

    def call(self, method, path, body=None, key=None):
        # Read anew for every connection: the token may have been rotated, and the socket may have moved.
        if self.connection is None:
            self.token = (self.home / "api-token").read_text().strip()
            self.connection = UnixConnection(json.loads((self.home / "api.json").read_text())["socketPath"])
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        try:
            payload = None if body is None else json.dumps(body).encode()
            self.connection.request(method, "/api/v1" + path, payload, headers)
            response = self.connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise
        answer = json.loads(text) if text else None
        if response.status >= 400:
            raise Refused(response.status, answer)
        return answer


def answer(client, event):
    """Sends the text back; again with the same key is the same message."""
    message = client.call("GET", f"/messages/{event['data']['id']}")
    if message["kind"] == "text" and message["gone"] == "no":
        reply = {"to": message["contact"], "text": message["text"], "replyTo": message["id"]}
        client.call("POST", "/messages", reply, key=f"{CONSUMER}-{event['number']}")


def run(client):
    acknowledged = client.call("PUT", f"/events/consumers/{CONSUMER}", {})["acknowledged"]
    print("ready", flush=True)
    query = urlencode({"consumer": CONSUMER, "types": "message:received", "wait": WAIT_SECONDS})
    while True:
        page = client.call("GET", f"/events?{query}")
        if page["gap"] is not None:
            print(f"events {page['gap']} are no longer kept", file=sys.stderr)
        for event in page["events"]:
            answer(client, event)
        # One acknowledgement for the page: what was handled, and what was passed over.
        if page["next"] > acknowledged:
            body = {"number": page["next"]}
            acknowledged = client.call("POST", f"/events/consumers/{CONSUMER}/ack", body)["acknowledged"]


def main():
    home = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SOTTO_HOME", Path.home() / ".local/share/sotto")
    client = Client(home)
    while True:
        try:
            run(client)
        except Refused as error:
            # 429: too fast. 423: the keys are sealed, until somebody unlocks them. Anything else is a fault of ours.
            if error.status not in (401, 423, 429):
                raise
            client.connection = None
            time.sleep(error.retry_after)
        except (OSError, http.client.HTTPException):
            # The daemon is away: all that was not acknowledged comes again.
            time.sleep(0.5)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
