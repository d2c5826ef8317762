#!/usr/bin/env python3
"""A render worker in Python's standard library alone (3.8 or newer).

    examples/worker.py COMMAND [ARGUMENT...]

Takes items from the queue, one after the other, and runs COMMAND for each, which finds the item in
TRACK_STUDIO_ITEM_ID and TRACK_STUDIO_SONG_ID, and as JSON in TRACK_STUDIO_ITEM. Percentages that it prints are its progress. Exit code 0 completes the
item, any other fails it. A cancelled item's command is stopped, and so is what a failed command has left running.

TRACK_STUDIO_SERVER names the server; the default is http://localhost:8080. TRACK_STUDIO_TOKEN is
a token of the role worker, if the server wants one; COMMAND does not get it. WORKER_NAME is the
worker's name that viewers see. SIGTERM finishes the current item.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

QUEUE = os.environ.get("TRACK_STUDIO_SERVER", "http://localhost:8080").rstrip("/") + "/api/v1/queue"
TOKEN = os.environ.pop("TRACK_STUDIO_TOKEN", "")
NAME = os.environ.get("WORKER_NAME", socket.gethostname())
PERCENT = re.compile(r"(?<![\d.])(\d{1,2}(?:\.\d+)?|100) ?%")
STOP_WITHIN_S = 10
REFUSED_S = 2


class Refused(Exception):
    """The server said no; `cancel` when the work is to stop."""

    def __init__(self, status, body):
        super().__init__(body.get("error", f"the server answered {status}"))
        self.cancel = body.get("directive") == "cancel"
        # A token may be exchanged while we work.
        self.of_token = status in (401, 403)


class Drained(Exception):
    """This worker is to take no more items."""


def post(path, body=None, lease="", timeout=15, headers=None):
    """The answer as JSON, None when it is empty. Raises Refused, Drained, or OSError if it may succeed later."""
    sent = {"Content-Type": "application/json", "Lease": lease, **(headers or {})}
    if TOKEN:
        sent["Authorization"] = f"Bearer {TOKEN}"
    request = urllib.request.Request(
        f"{QUEUE}/{path}",
        data=json.dumps(body or {}).encode(),
        headers=sent,
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            text = answer.read()
            if answer.status == 204 and answer.headers.get("Drain") == "true":
                raise Drained()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        text = error.read()
        if error.code == 429 or error.code >= 500:
            raise OSError(f"the server answered {error.code}") from error
        try:
            body = json.loads(text)
        except ValueError:
            body = {}
        raise Refused(error.code, body) from error


class Attempt:
    """One attempt at an item: its command, and the reports to the server."""

    def __init__(self, item, token, command):
        self.item = item
        self.token = token
        self.latest = None
        self.told = threading.Event()
        self.at_end = threading.Event()
        self.ended = threading.Event()
        known = {
            "TRACK_STUDIO_ITEM": json.dumps(item),
            "TRACK_STUDIO_ITEM_ID": str(item["id"]),
            "TRACK_STUDIO_SONG_ID": str(item["song_id"]),
        }
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **known},
            # ffmpeg takes what it reads there for keys, and a "q" ends it.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A session of its own can be stopped with all that the command started.
            start_new_session=True,
        )
        # If we are killed, what it reads from us ends, and it ends the command: the next attempt writes the same file.
        self.guard = subprocess.Popen(
            ["sh", "-c", 'read -r _; kill -s KILL -- "-$0"', str(self.process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def post(self, verb, body=None, timeout=15):
        return post(f"{self.item['id']}/{verb}", body, self.token, timeout)

    def run(self):
        threading.Thread(target=self.heartbeat, daemon=True).start()
        ending = threading.Thread(target=self.end)
        ending.start()
        self.read_progress()
        ending.join()
        code = self.process.returncode
        self.guard.kill()
        self.guard.communicate()
        self.ended.set()
        if code == 0:
            self.post_surely("complete")
        else:
            # If the item was cancelled meanwhile, the server records that instead of the failure.
            self.post_surely("fail", {"error_message": f"the command ended with code {code}"})
        print(f"worker.py: item {self.item['id']} ended with code {code}", file=sys.stderr, flush=True)

    def end(self):
        """Waits for the end of the command. What a failed one left running ends, too: it may hold the output."""
        if self.process.wait() != 0:
            # The next attempt must not write beside it.
            self.stop()

    def read_progress(self):
        """Passes the command's output on; what is reported of it must not hold it up."""
        reporter = threading.Thread(target=self.report)
        reporter.start()
        for line in self.process.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
            found = PERCENT.search(line.decode(errors="replace"))
            if found:
                self.latest = {"progress": float(found[1]), "message": found.string.strip()[:200]}
                self.told.set()
        self.at_end.set()
        self.told.set()
        reporter.join()

    def report(self):
        """Reports the latest percentage, four times a second at most, the last one always."""
        reported = None
        while True:
            self.told.wait()
            self.told.clear()
            at_end, latest = self.at_end.is_set(), self.latest
            if latest and latest != reported:
                try:
                    self.post("progress", latest)
                    reported = latest
                except OSError:
                    self.told.set()  # It is sent again, if none has come since.
                except Refused:
                    reported = latest  # The heartbeat hears of it too; the render goes on.
            if at_end:
                return
            self.at_end.wait(0.25)

    def heartbeat(self):
        """Says that we live, and hears of a cancel the moment it is requested."""
        while not self.ended.is_set():
            try:
                cancel = self.post("heartbeat?wait=20", timeout=35)["directive"] == "cancel"
            except Refused as refused:
                cancel = refused.cancel
            except OSError:
                cancel = False
                time.sleep(1)
            if cancel:
                self.stop()
                return

    def stop(self):
        """Ends the command and all that it started, in 10 s by force."""
        until = time.monotonic() + STOP_WITHIN_S
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            while time.monotonic() < until:
                time.sleep(0.05)
                os.killpg(self.process.pid, 0)
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def post_surely(self, verb, body=None):
        """Tries for a minute: the server may just be restarting."""
        for _ in range(60):
            try:
                self.post(verb, body)
                return
            except Refused as refused:
                print(f"worker.py: {refused}", file=sys.stderr, flush=True)
                if not refused.of_token:
                    return
                time.sleep(1)
            except OSError:
                time.sleep(1)


def main(command):
    if not command or command == ["--help"]:
        print(__doc__)
        return 0 if command else 2
    stopping = threading.Event()

    def on_signal(_number, _frame):
        stopping.set()
        if claiming:
            raise SystemExit(0)

    claiming = False
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    print(f"worker.py: taking items from {QUEUE} as {NAME}", file=sys.stderr, flush=True)
    key = str(uuid.uuid4())
    while not stopping.is_set():
        try:
            claiming = True
            # If the answer is lost, the same claim with the same key gets the same item.
            claimed = post("claim", {"worker": NAME, "wait": 25}, timeout=40, headers={"Idempotency-Key": key})
            claiming = False
            key = str(uuid.uuid4())
            if claimed:
                Attempt(claimed["item"], claimed["lease"]["token"], command).run()
        except Drained:
            break
        except (OSError, Refused) as error:
            print(f"worker.py: {error}; trying again", file=sys.stderr, flush=True)
            # A signal ends this wait, too.
            claiming = True
            time.sleep(REFUSED_S if isinstance(error, Refused) else 1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
