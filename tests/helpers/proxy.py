"""A proxy in front of moto's server that removes some entries from each call, and throttles whole calls.

Removed entries never reach moto. The response reports them as failed, as the service would.
"""

from __future__ import annotations

import json
import re
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from urllib.parse import parse_qsl, urlencode

# Action: the list of entries, the list of results, the code of a failure, the count of failures.
ALIGNED = {
    "PutRecords": ("Records", "Records", "ProvisionedThroughputExceededException", "FailedRecordCount"),
    "PutRecordBatch": ("Records", "RequestResponses", "ServiceUnavailableException", "FailedPutCount"),
    "PutEvents": ("Entries", "Entries", "ThrottlingException", "FailedEntryCount"),
}


class Proxy:
    """An HTTP server on a free local port that forwards requests to moto.

    Args:
        port: The port of moto's server.
        seed: Determines the entries that are removed.
        share: The share of entries that it removes, and of calls that it throttles.
    """

    def __init__(self, port, seed=1, share=0.2):
        self.port = port
        self.random = Random(seed)
        self.share = share
        self.active = True
        self.throttled = self.taken = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body go out one after the other: 40 ms a call otherwise

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, answer = proxy.answer(self.path, dict(self.headers), body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def forward(self, path, headers, body):
        connection = HTTPConnection("127.0.0.1", self.port)
        kept = {
            name: value
            for name, value in headers.items()
            if name.lower() not in {"content-length", "host", "connection"}
        }
        connection.request("POST", path, body, kept)
        response = connection.getresponse()
        answer = response.read()
        shown = {
            name: value for name, value in response.getheaders() if name.lower() in {"content-type", "smithy-protocol"}
        }
        connection.close()
        return response.status, shown, answer

    def answer(self, path, headers, body):
        action = headers.get("X-Amz-Target", "").rpartition(".")[2] or path.rpartition("/")[2]
        form = headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
        if form:
            action = dict(parse_qsl(body.decode()))["Action"]
        batch = action in ALIGNED or action in {
            "SendMessageBatch",
            "PublishBatch",
            "BatchWriteItem",
            "BatchGetItem",
            "PutMetricData",
        }
        if not (self.active and batch):
            return self.forward(path, headers, body)
        if self.random.random() < self.share:
            self.throttled += 1
            return throttling(headers, form=form)
        if form:
            return self.publish(path, headers, body)
        if action == "PutMetricData":
            return self.forward(path, headers, body)
        return self.partly(action, path, headers, json.loads(body))

    def split(self, entries):
        """Return the positions of the entries that are forwarded."""
        kept = [at for at in range(len(entries)) if self.random.random() >= self.share]
        self.taken += len(entries) - len(kept)
        return kept

    def partly(self, action, path, headers, call):
        if action in {"BatchWriteItem", "BatchGetItem"}:
            return self.tables(action, path, headers, call)
        name = "Entries" if action == "SendMessageBatch" else ALIGNED[action][0]
        entries = call[name]
        kept = self.split(entries)
        shown, answer = {"Content-Type": "application/x-amz-json-1.1"}, {}
        if kept:
            call[name] = [entries[at] for at in kept]
            status, shown, raw = self.forward(path, headers, json.dumps(call).encode())
            answer = json.loads(raw)
            if status != 200:
                return status, shown, raw
        lost = [at for at in range(len(entries)) if at not in kept]
        if action == "SendMessageBatch":
            failed = [{"Id": entries[at]["Id"], "Code": "InternalError", "SenderFault": False} for at in lost]
            answer["Failed"] = [*answer.get("Failed", []), *failed]
        else:
            _, rows, code, count = ALIGNED[action]
            through = iter(answer.get(rows, []))
            answer[rows] = [
                next(through) if at in kept else {"ErrorCode": code, "ErrorMessage": "proxy"}
                for at in range(len(entries))
            ]
            answer[count] = len(lost)
        return 200, shown, json.dumps(answer).encode()

    def tables(self, action, path, headers, call):
        ((table, asked),) = call["RequestItems"].items()
        entries = asked if action == "BatchWriteItem" else asked["Keys"]
        kept = self.split(entries) or [0]
        left = [entry for at, entry in enumerate(entries) if at not in kept]
        some = [entries[at] for at in kept]
        call["RequestItems"] = {table: some if action == "BatchWriteItem" else {**asked, "Keys": some}}
        status, shown, raw = self.forward(path, headers, json.dumps(call).encode())
        answer = json.loads(raw)
        if status == 200 and left:
            if action == "BatchWriteItem":
                answer["UnprocessedItems"] = {table: left}
            else:
                answer["UnprocessedKeys"] = {table: {**asked, "Keys": left}}
        return status, shown, json.dumps(answer).encode()

    def publish(self, path, headers, body):
        """Forward a call in SNS's query protocol: entries are numbered members of a form, and the response is XML."""
        fields = parse_qsl(body.decode(), keep_blank_values=True)
        pattern = re.compile(r"PublishBatchRequestEntries\.member\.(\d+)\.(.*)")
        entries: dict[int, list[tuple[str, str]]] = {}
        rest = []
        for name, value in fields:
            found = pattern.fullmatch(name)
            if found:
                entries.setdefault(int(found[1]), []).append((found[2], value))
            else:
                rest.append((name, value))
        numbers = list(entries)
        kept = self.split(numbers)
        failed = "".join(
            f"<member><Id>{dict(entries[number])['Id']}</Id><Code>InternalFailure</Code><SenderFault>false</SenderFault></member>"
            for at, number in enumerate(numbers)
            if at not in kept
        )
        if not kept:
            inner = f"<PublishBatchResult><Failed>{failed}</Failed></PublishBatchResult>"
            xml = (
                f'<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">{inner}</PublishBatchResponse>'
            )
            return 200, {"Content-Type": "text/xml"}, xml.encode()
        for new, at in enumerate(kept, start=1):
            rest += [(f"PublishBatchRequestEntries.member.{new}.{name}", value) for name, value in entries[numbers[at]]]
        status, shown, answer = self.forward(path, headers, urlencode(rest).encode())
        text = re.sub(r"<Failed>\s*</Failed>|<Failed ?/>", "", answer.decode())
        assert "<Failed>" not in text
        return (
            status,
            shown,
            text.replace("</PublishBatchResult>", f"<Failed>{failed}</Failed></PublishBatchResult>").encode(),
        )


def throttling(headers, *, form):
    """Return a throttled call, in the protocol in which it was made."""
    code = "ThrottlingException"
    if form:
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>slow</Message></Error>"
        xml = f"<ErrorResponse>{error}</ErrorResponse>"
        return 400, {"Content-Type": "text/xml"}, xml.encode()
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        body = b"\xa1\x66__type" + bytes([0x60 + len(code)]) + code.encode()
        return 400, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, body
    return 400, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps({"__type": code, "message": "slow"}).encode()
