"""
A whole Postfix to test against, out of Debian's package and without installing it.

It listens on this machine alone, has a configuration, a queue and mailboxes of its own, and hands mail for
``next.example.com`` to a server of the tests' own making. Mail for anywhere else goes nowhere.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import ClassVar

import attrs
import pytest
from backends.mail_servers import Authority, Inbox, mail_server
from services import missing

PACKAGE = Path(__file__).parents[2] / ".peers" / "postfix" / "usr"
SIZE_LIMIT = 200_000
_OWNER, _GROUP = "daemon", "mail"
_QUEUES = ["incoming", "active", "bounce", "defer", "deferred", "flush", "hold", "saved", "trace", "corrupt"]
_QUEUES += ["private", "public", "maildrop"]
_PATIENCE = 30

# No box has a name here, and no domain leads anywhere. RFC 3463 says what the second code means.
_MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = {package}/sbin
daemon_directory = {package}/lib/postfix/sbin
shlib_directory = {package}/lib/postfix
meta_directory = {home}/etc
maillog_file = {home}/log
maillog_file_prefixes = {home}
import_environment = MAIL_CONFIG LD_LIBRARY_PATH={package}/lib/postfix
mail_owner = {owner}
setgid_group = {group}
default_privs = nobody
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.1
myhostname = mx.example.net
mydestination =
alias_maps =
default_transport = error:5.1.2 no mail leaves this machine
notify_classes =
recipient_delimiter = +
message_size_limit = {size_limit}
in_flow_delay = 0
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000
smtpd_junk_command_limit = 10000
smtpd_tls_security_level = may
smtpd_tls_chain_files = {home}/etc/chain.pem
smtpd_recipient_restrictions =
  check_recipient_access inline:{{
    {{ full@example.com = 452 4.2.2 Mailbox full }}
    {{ policy@example.com = 554 5.7.1 Not what we take }}
  }}
  check_policy_service inet:{policy}
  permit_mynetworks
  reject
relay_domains = next.example.com
transport_maps = inline:{{ {{ next.example.com = smtp:[{next_host}]:{next_port} }} }}
virtual_mailbox_domains = example.com users.example.com acme.example.com bounces.example.com bücher.example
virtual_mailbox_base = {home}/boxes
virtual_mailbox_maps = inline:{{
    {{ @example.com = people/ }}
    {{ ada@users.example.com = people/ }}
    {{ @bücher.example = people/ }}
    {{ bounces@acme.example.com = bounces/ }}
    {{ @bounces.example.com = bounces/ }}
  }}
virtual_uid_maps = static:1
virtual_gid_maps = static:1
virtual_minimum_uid = 1
"""

_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{bare_port} inet n - n - - smtpd -o smtpd_discard_ehlo_keywords=size,pipelining,chunking
pickup    unix n - n 60 1 pickup
cleanup   unix n - n -  0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


@attrs.frozen
class Postfix:
    """
    A Postfix that runs.

    Attributes:
        address: Host and port it takes mail at.
        bare: The same, of a door at which it does not offer SIZE or PIPELINING.
        next_hop: What takes mail for ``next.example.com``. Its answers can be told by local part.
    """

    address: str
    bare: str
    home: Path
    next_hop: Inbox

    def mails(self, box: str, to: str, count: int = 1) -> list[bytes]:
        """
        Wait until so many mails to an address have come into a box, and return every one.
        """
        mark = f"\nX-Original-To: {to}\n".lower().encode()
        return self._wait(
            lambda: [mail for file in self._files(box) if mark in (mail := file.read_bytes()).lower()], count
        )

    def passed_on(self, to: str) -> bytes:
        """
        Wait until a mail for ``next.example.com`` has been handed on, and return it.
        """
        (mail,) = self._wait(
            lambda: [mail.original_content or b"" for mail in self.next_hop.envelopes if mail.rcpt_tos == [to]], 1
        )
        return mail

    def _files(self, box: str) -> list[Path]:
        return sorted((self.home / "boxes" / box / "new").glob("*"))

    def _wait(self, look: Callable[[], list[bytes]], count: int) -> list[bytes]:
        until = time.monotonic() + _PATIENCE
        while len(found := look()) < count:
            if time.monotonic() > until:
                pytest.fail(f"{len(found)} of {count} mails came\n{(self.home / 'log').read_text()[-4000:]}")
            time.sleep(0.02)
        return found


class _Greylist(StreamRequestHandler):
    """
    Answers Postfix's question whether to take a mail: not at the first time, if the recipient is called grey.

    Source: https://www.postfix.org/SMTPD_POLICY_README.html.
    """

    seen: ClassVar[set[str]] = set()

    def handle(self) -> None:
        recipient = ""
        for line in self.rfile:
            name, _, value = line.decode().strip().partition("=")
            if name == "recipient":
                recipient = value
            elif not name:
                first = recipient.startswith("grey") and recipient not in self.seen
                self.seen.add(recipient)
                answer = "451 4.7.1 Greylisted, come again later" if first else "DUNNO"
                self.wfile.write(f"action={answer}\n\n".encode())


class _Policy(ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def _policy() -> Iterator[str]:
    with _Policy(("127.0.0.1", 0), _Greylist) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(authority: Authority) -> Iterator[Postfix]:
    """
    Run a Postfix that shows a certificate of this authority for 127.0.0.1.
    """
    if not (PACKAGE / "lib" / "postfix" / "sbin" / "master").exists():
        missing("Postfix", "run tests/peers/install")
    if os.geteuid() != 0:
        missing("the right to start Postfix", "run as root")
    # Not pytest's own directory: other users than root have to get there.
    home = Path(tempfile.mkdtemp(prefix="optly-postfix-"))
    home.chmod(0o755)
    inbox = Inbox()
    try:
        with mail_server(inbox, enable_SMTPUTF8=True) as next_hop, _policy() as policy:
            port, bare_port = _set_up(home, authority, next_hop=next_hop, policy=policy)
            with _master(home, port):
                yield Postfix(f"127.0.0.1:{port}", f"127.0.0.1:{bare_port}", home, inbox)
    finally:
        shutil.rmtree(home)


def _set_up(home: Path, authority: Authority, *, next_hop: str, policy: str) -> tuple[int, int]:
    with socket.socket() as probe, socket.socket() as other_probe:
        probe.bind(("127.0.0.1", 0))
        other_probe.bind(("127.0.0.1", 0))
        port, bare_port = probe.getsockname()[1], other_probe.getsockname()[1]
    etc = home / "etc"
    etc.mkdir()
    next_host, _, next_port = next_hop.partition(":")
    facts = {
        "home": home,
        "package": PACKAGE,
        "owner": _OWNER,
        "group": _GROUP,
        "size_limit": SIZE_LIMIT,
        "policy": policy,
        "next_host": next_host,
        "next_port": next_port,
    }
    (etc / "main.cf").write_text(_MAIN.format_map(facts))
    (etc / "master.cf").write_text(_MASTER.format(port=port, bare_port=bare_port))
    authority.ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(etc / "chain.pem")
    for name in ("data", "boxes"):
        (home / name).mkdir()
        shutil.chown(home / name, _OWNER)
    queue = home / "queue"
    queue.mkdir()
    (queue / "pid").mkdir()
    for name in _QUEUES:
        (queue / name).mkdir(mode=0o700)
        shutil.chown(queue / name, _OWNER, _GROUP)
    return port, bare_port


@contextmanager
def _master(home: Path, port: int) -> Iterator[None]:
    libraries = PACKAGE / "lib" / "postfix"
    process = subprocess.Popen(
        [libraries / "sbin" / "master", "-c", home / "etc", "-d"],
        env={"LD_LIBRARY_PATH": str(libraries), "PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _greeted(home, port, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE)


def _greeted(home: Path, port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                if client.recv(4) == b"220 ":
                    return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > until:
            log = home / "log"
            pytest.fail(f"Postfix does not start\n{log.read_text() if log.exists() else 'and says nothing'}")
        time.sleep(0.05)
