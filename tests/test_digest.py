"""The digest of a run, received by a real web server and a real mail server on this machine."""

import json
import socket
import threading
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tmdb_analysis.core.records import RunRecord
from tmdb_analysis.use.cli import main

PASSWORD = "canary-pass-word"


@pytest.fixture
def webhook():
    "A web server that keeps what it gets, and answers with the status in the path."
    got = []

    class Handler(BaseHTTPRequestHandler):
        "Keeps the body of each POST."

        def do_POST(self):
            "Answer with the status that the path ends in."
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(int(self.path[-3:]))
            self.send_header("Location", "/elsewhere/200")
            self.end_headers()

        def log_message(self, *_):
            "Print nothing."

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook-{PASSWORD}", got
    server.shutdown()
    server.server_close()


@pytest.fixture
def mailbox():
    "A mail server that wants a password and keeps what it gets."
    got = []

    class Box:
        "Keeps the content of each mail."

        async def handle_DATA(self, server, session, envelope):
            "Take a mail."
            got.append((envelope.rcpt_tos, envelope.content))
            return "250 OK"

    def check_login(server, session, envelope, mechanism, login):
        "Whether the user and the password are right."
        return AuthResult(success=login.password == PASSWORD.encode(), handled=False)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(
        Box(),
        hostname="127.0.0.1",
        port=port,
        auth_required=True,
        auth_require_tls=False,
        authenticator=check_login,
    )
    server.start()
    yield port, got
    server.stop()


def test_it_prints_the_findings_of_the_report(demo, home, capsys):
    "Five findings in the order of the report, and where to find it."
    assert main(["digest", demo.id, "--home", str(home)]) == 0
    text = capsys.readouterr().out
    stored = json.loads((demo.report / "findings.json").read_text())
    headings = [finding["heading"] for finding in stored if finding["evidence"]][:5]
    flat = " ".join(text.split())
    assert len(headings) == 5 and all(heading in flat for heading in headings)
    assert f"tmdb open {demo.id}" in flat and "What changed" in flat


def test_a_webhook_gets_it_as_json(demo, home, webhook, monkeypatch, capsys):
    "Chat services show the key `text`."
    url, got = webhook
    monkeypatch.setenv("TMDB_WEBHOOK_URL", f"{url}/200")
    monkeypatch.setenv("TMDB_REPORTS_URL", "https://films.example/reports/")
    assert main(["digest", demo.id, "--webhook", "--home", str(home)]) == 0
    sent = json.loads(got[0])
    assert "Findings" in sent["text"]
    assert sent["link"] == f"https://films.example/reports/{demo.id}/index.html"
    assert "posted" in capsys.readouterr().out


@pytest.mark.parametrize("status", ["500", "302", "404"])
def test_a_webhook_that_refuses_is_one_line_without_its_url(
    demo, home, webhook, monkeypatch, capsys, status
):
    "The path of the URL is a secret; a redirect is not followed."
    url, got = webhook
    monkeypatch.setenv("TMDB_WEBHOOK_URL", f"{url}/{status}")
    assert main(["digest", demo.id, "--webhook", "--home", str(home)]) == 1
    out = capsys.readouterr()
    assert status in out.err and out.err.count("\n") == 1
    assert PASSWORD not in out.out + out.err and len(got) == 1


def test_a_mail_server_gets_it_with_the_password(demo, home, mailbox, monkeypatch):
    "The mail has a text and an HTML part and goes to both addresses."
    port, got = mailbox
    monkeypatch.setenv("TMDB_SMTP_URL", f"smtp://films:{PASSWORD}@127.0.0.1:{port}")
    monkeypatch.setenv("TMDB_MAIL_FROM", "films@example.org")
    to = "studio@example.org, team@example.org"
    assert main(["digest", demo.id, "--mail", to, "--home", str(home)]) == 0
    receivers, content = got[0]
    mail = message_from_bytes(content, policy=policy.default)
    assert receivers == to.split(", ") and demo.id in mail["Subject"]
    assert "<h2" in mail.get_body(("html",)).get_content()
    assert "Findings" in mail.get_body(("plain",)).get_content()


def test_a_wrong_password_is_one_line_without_it(demo, home, mailbox, monkeypatch, capsys):
    "The line names the host and the setting."
    port, got = mailbox
    monkeypatch.setenv("TMDB_SMTP_URL", f"smtp://films:{PASSWORD}x@127.0.0.1:{port}")
    monkeypatch.setenv("TMDB_MAIL_FROM", "films@example.org")
    assert main(["digest", demo.id, "--mail", "a@example.org", "--home", str(home)]) == 1
    err = capsys.readouterr().err
    assert "TMDB_SMTP_URL" in err and PASSWORD not in err and not got


def test_a_mail_is_never_sent_in_clear_to_another_host(demo, home, mailbox, monkeypatch, capsys):
    "This server knows no TLS; under a name that is not loopback it gets neither mail nor password."
    from tmdb_analysis.pages import digest

    port, got = mailbox
    monkeypatch.setattr(digest, "is_loopback", lambda host: False)
    monkeypatch.setenv("TMDB_SMTP_URL", f"smtp://films:{PASSWORD}@127.0.0.1:{port}")
    monkeypatch.setenv("TMDB_MAIL_FROM", "films@example.org")
    assert main(["digest", demo.id, "--mail", "a@example.org", "--home", str(home)]) == 1
    assert not got and "SMTPNotSupportedError" in capsys.readouterr().err


def test_a_failed_run_has_a_digest(tmp_path, capsys):
    "It is the newest run that ended, so it comes without being named."
    folder = tmp_path / "reports" / "friday"
    folder.mkdir(parents=True)
    facts = RunRecord(
        run_id="friday",
        status="failed",
        failed_stage="23_clean",
        error="disk is \x1b[31mfull",
        started="2026-01-02T03:04:05Z",
    )
    (folder / "run.json").write_text(facts.model_dump_json())
    assert main(["digest", "--home", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "tmdb resume friday" in text and "\x1b" not in text


def test_it_is_written_as_html_or_text(demo, home, tmp_path, capsys):
    "The ending of the file name decides."
    for name, start in (("digest.html", "<!doctype html>"), ("digest.txt", "Run demo finished")):
        target = tmp_path / name
        assert main(["digest", demo.id, "-o", str(target), "--home", str(home)]) == 0
        assert target.read_text().lower().startswith(start.lower())


@pytest.mark.parametrize(
    "options, words",
    [
        (["--webhook"], "webhook_url is not set"),
        (["--mail", "a@example.org"], "smtp_url is not set"),
        (["nobody"], "nobody"),
    ],
)
def test_misuse_is_exit_2(demo, home, capsys, options, words):
    "One line says what is missing."
    words_given = options if options == ["nobody"] else [demo.id, *options]
    assert main(["digest", *words_given, "--home", str(home)]) == 2
    assert words in capsys.readouterr().err
