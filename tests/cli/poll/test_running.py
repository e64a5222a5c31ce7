"""How a run ends: at a signal, with the source, with the service, or for a change of code."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from partialbatch.cli.poll import running
from partialbatch.cli.poll.display import Display
from partialbatch.cli.poll.periodic import PeriodicTasks

NUMBERS = count()


def make_queue(server, bodies, visibility=30):
    sqs = server.client("sqs")
    attributes = {"VisibilityTimeout": str(visibility)}
    url = sqs.create_queue(QueueName=f"running-{next(NUMBERS)}", Attributes=attributes)["QueueUrl"]
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)
    return sqs, url


def visible(sqs, url):
    return [
        message["Body"] for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    ]


def counts(sqs, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_current_batch(server, app, started, begun, handled, until, events, number):  # fixtures
    """After a signal the running batch is finished and deleted; messages not yet received stay in the queue."""
    sqs, url = make_queue(server, ["a", "b", "c"])
    process = started(f"{app}:handler", "--queue", url, "--batch-size", "1", "--wait", "0", "--json", HELD="b")
    until(lambda: begun() == ["a", "b"])
    process.send_signal(number)
    lines = []
    until(lambda: lines.append(process.stdout.readline()) or "stopping" in lines[-1])
    Path("let_go").touch()
    rest, problems = process.communicate(timeout=20)
    told = events("".join(lines) + rest)
    assert (process.returncode, problems) == (0, "")
    assert [event["event"] for event in told] == ["polling", "invocation", "stopping", "invocation", "stopped"]
    assert told[-1]["handled"] == 2
    assert handled() == ["a", "b"]
    assert visible(sqs, url) == ["c"]


def test_a_signal_makes_waiting_messages_visible_again(server, app, started, handled, until):
    """Messages that wait for the batching window when the signal comes are visible again at once."""
    sqs, url = make_queue(server, ["a", "b"])
    process = started(f"{app}:handler", "--queue", url, "--window", "60", "--json")

    def in_flight():
        names = ["ApproximateNumberOfMessagesNotVisible"]
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]]

    until(lambda: in_flight() == "2")
    process.terminate()
    _, problems = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "shorter than --timeout and --window together: messages of a batch that runs longer" in problems
    assert handled() == []
    assert sorted(visible(sqs, url)) == ["a", "b"]


def test_a_second_signal_ends_at_once(server, app, started, begun, until):
    """A second signal doesn't wait for the handler, and says that the batch is delivered again."""
    _, url = make_queue(server, ["a"])
    process = started(f"{app}:handler", "--queue", url, "--json", PACE="60")
    until(begun)
    process.terminate()
    until(lambda: "stopping" in process.stdout.readline())
    process.terminate()
    _, problems = process.communicate(timeout=20)
    assert process.returncode == 1
    assert problems == "Stopped at once: the records of the current batches will be delivered again.\n"


def test_a_second_signal_ends_a_reloading_run(server, app, started, handled, until):
    """With --reload a second signal leaves no run behind, however long its handler takes."""
    _, url = make_queue(server, ["a"])
    code = Path(f"{app}.py").read_text().replace("\n    time.sleep(", "\n    note(os.getpid())\n    time.sleep(")
    Path(f"{app}.py").write_text(code)
    process = started(f"{app}:handler", "--queue", url, "--json", "--reload", PACE="60")
    until(handled)
    process.terminate()
    until(lambda: "stopping" in process.stdout.readline())
    process.terminate()
    _, problems = process.communicate(timeout=20)
    line = "Stopped at once: the records of the current batches will be delivered again.\n"
    assert (process.returncode, problems) == (1, line)
    until(lambda: not is_running(int(handled()[0])))


def is_running(number):
    """Tell whether a process exists and isn't a zombie."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_an_unavailable_service_ends_the_run_with_2(own_server, app, started, until, events):
    """If the service is unavailable for longer than the patience, there is one line and exit code 2."""
    sqs, url = make_queue(own_server, ["a"])
    process = started(f"{app}:handler", "--queue", url, "--json", "--patience", "1", "--wait", "0")
    until(lambda: "invocation" in process.stdout.readline())
    until(lambda: counts(sqs, url) == {"0"})  # deleted: else that would be tried for as long as it is invisible
    own_server.process.kill()
    out, problems = process.communicate(timeout=40)
    assert process.returncode == 2
    assert problems.startswith('Error: Could not connect to the endpoint URL: "http://127.0.0.1:')
    assert problems.endswith("; nothing is lost: unfinished records are delivered again\n")
    assert problems.count("\n") == 1
    assert {event["event"] for event in events(out)} == {"waiting", "stopped"}


def test_a_change_restarts_the_run_with_the_new_code(server, app, started, handled, until):
    """A change of the module restarts the run with the new code; a module that fails waits for the next change."""
    sqs, url = make_queue(server, ["a"])
    process = started(f"{app}:handler", "--queue", url, "--wait", "1", "--reload")
    until(lambda: handled() == ["a"])
    file = Path(f"{app}.py")
    code = file.read_text()
    file.write_text("def")
    lines = [process.stderr.readline() for _ in range(3)]
    assert lines[0] == f"Reload: {app}.py changed.\n"
    assert lines[1].startswith(f"Error: importing {app} failed: SyntaxError")
    assert lines[2].startswith("Waiting for a change in ")
    file.write_text(code.replace("note(body_of(record))", 'note("new " + body_of(record))'))
    sqs.send_message(QueueUrl=url, MessageBody="b")
    until(lambda: handled() == ["a", "new b"])
    process.send_signal(signal.SIGINT)
    _, problems = process.communicate(timeout=20)
    assert (process.returncode, problems) == (0, f"Reload: {app}.py changed.\n")


def test_reload_of_a_missing_folder_ends_with_2(poll):
    """A missing folder can't be watched: one line and exit code 2."""
    result = poll("nowhere/app.py:handler", "--queue", "http://127.0.0.1:1/1/q", "--reload")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: there is no file nowhere/app.py: its folder ")
    assert result.stderr.count("\n") == 1


def test_reload_ends_when_the_run_ends(server, app, started, tmp_path):
    """With --until-empty the watching ends when the run has ended well, also for a file's path."""
    _, url = make_queue(server, ["a"])
    process = started(f"{tmp_path}/{app}.py:handler", "--queue", url, "--wait", "0", "--reload", "--until-empty")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "1 invocation, 1 record handled" in out


def test_run_ends_with_the_process_that_watches_it(server, app, started):
    """A run whose watching process was killed finishes its batch and ends."""
    _, url = make_queue(server, [])
    process = started(f"{app}:handler", "--queue", url, "--wait", "0", **{running.PARENT: "1"})
    out, problems = process.communicate(timeout=20)
    assert (process.returncode, problems) == (0, "")
    assert "stopped: 0 invocations" in out


def test_an_unavailable_source_is_not_empty(monkeypatch):
    """While the service is away a source does not count as empty."""
    answers = iter([ConnectionError("away"), False, True])

    class Source:
        def add_tasks(self, tasks, observer):
            pass

        def drained(self):
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

    monkeypatch.setattr(running, "_LOOK", 0)
    display = Display()
    running.run(Source(), PeriodicTasks(1, 0, display.waiting), display, running.StopSignal(), until_empty=True)
    assert next(answers, "asked to the end") == "asked to the end"


@pytest.mark.parametrize("terminal", [False, True])
def test_the_second_signal_ends_the_process(monkeypatch, terminal):
    """The first signal is taken note of, the second ends the process and shows the cursor that a live view hid."""
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(os, "write", lambda _descriptor, text: ended.append(text))
    monkeypatch.setattr(os, "isatty", lambda _descriptor: terminal)
    before = signal.getsignal(signal.SIGTERM)
    stop = running.StopSignal()
    with stop.listening():
        assert not stop
        signal.raise_signal(signal.SIGTERM)
        assert stop
        assert ended == []
        signal.raise_signal(signal.SIGINT)
    shown = [b"\x1b[?25h\n"] if terminal else []
    assert ended == [*shown, b"Stopped at once: the records of the current batches will be delivered again.\n", 1]
    assert signal.getsignal(signal.SIGTERM) is before
