"""A record in the DNS for each resource whose stack is there. The server keeps a record under an id of ours, PUT and
DELETE <dns_url>/records/<id>, and shows it by GET once everybody can see it.

Nothing here knows of the sandbox: what it needs from outside is its argument `host`, so that tests run anywhere."""

import json
from dataclasses import dataclass
from typing import Any, Optional, Protocol
from urllib.parse import quote

URL = "dns_url"
POLL = "dns_poll_ms"
WAIT = "dns_wait_ms_max"

# A look is never nearer to the one before.
POLL_MS_MIN = 10


class Retry(Exception):
    """Trouble of the moment."""


class Fatal(Exception):
    """No other try of this config can help."""


@dataclass
class Pending:
    """To be called again, with this checkpoint."""

    after_ms: int
    checkpoint: dict[str, Any]


class Host(Protocol):
    """What is outside."""

    def setting(self, key: str) -> Optional[str]: ...

    def params(self) -> dict[str, Any]: ...

    def http(self, method: str, url: str, body: Optional[bytes]) -> tuple[int, bytes]: ...

    def report(self, field: str, value: Any) -> None: ...

    def log(self, line: str) -> None: ...


def handle(host: Host, takes_down: bool, resource_id: str, checkpoint: Optional[dict[str, Any]]) -> Optional[Pending]:
    """One call. None is the end of it. It may be called twice with the same checkpoint: the record's id is the
    resource's, so that a second call meets the record of the first."""
    url = f"{base_url(host)}/records/{quote(resource_id, safe='')}"
    if takes_down:
        return take_down(host, url)
    if checkpoint is None:
        return publish(host, url)
    return look(host, url, checkpoint)


def publish(host: Host, url: str) -> Pending:
    """Sends the whole record. The same again changes nothing."""
    poll_ms = milliseconds(host, POLL, 1_000)
    record = record_of(host.params())
    success("PUT", url, *host.http("PUT", url, json.dumps(record).encode()))
    host.log(f"{url} was sent")
    return Pending(poll_ms, {"record": record, "waited_ms": poll_ms})


def look(host: Host, url: str, waiting: dict[str, Any]) -> Optional[Pending]:
    """Whether everybody can see the record that was sent. One call is one look: nobody waits inside a call."""
    status, body = host.http("GET", url, None)
    if status != 404 and shows(success("GET", url, status, body), waiting["record"]):
        host.report("dns_record", waiting["record"])
        return None
    waited_ms = waiting["waited_ms"]
    if waited_ms >= milliseconds(host, WAIT, 60_000):
        # Another try sends the record again, in case the server has lost it.
        raise Retry(f"{url} does not show its record after {waited_ms} ms")
    poll_ms = milliseconds(host, POLL, 1_000)
    return Pending(poll_ms, {**waiting, "waited_ms": waited_ms + poll_ms})


def take_down(host: Host, url: str) -> None:
    """What is not there is taken down already. Params are not asked for: the outputs may be gone."""
    status, body = host.http("DELETE", url, None)
    if status != 404:
        success("DELETE", url, status, body)


def record_of(params: dict[str, Any]) -> dict[str, Any]:
    """The record as the server wants it."""
    values = params.get("values")
    values = [values] if isinstance(values, str) else values
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Fatal("param values is neither a text nor a list of texts")
    name = params.get("name")
    if not isinstance(name, str) or not name or not values:
        raise Fatal(f"param {'values' if name else 'name'} is empty: a record needs a name and a value")
    return {"name": name, "type": params.get("type", "A"), "values": sorted(set(values))}


def shows(answer: bytes, record: dict[str, Any]) -> bool:
    """Whether the server's answer has what was sent, beside fields of its own."""
    try:
        shown = json.loads(answer)
    except ValueError as error:
        raise Retry("the DNS server's answer is not JSON") from error
    return isinstance(shown, dict) and all(shown.get(field) == value for field, value in record.items())


def success(method: str, url: str, status: int, body: bytes) -> bytes:
    """The body of an answer that says yes."""
    if 200 <= status < 300:
        return body
    words = f"{method} {url} was answered with {status}"
    raise (Retry if status in (408, 429) or status >= 500 else Fatal)(words)


def base_url(host: Host) -> str:
    url = host.setting(URL)
    if url is None:
        raise Fatal(
            f"setting {URL} is missing (config under [plugins.python_dns_worker]): it is the address of the DNS "
            "server's API, as in http://127.0.0.1:8053"
        )
    if not url.startswith(("http://", "https://")):
        raise Fatal(f"setting {URL} is no http or https address")
    return url.rstrip("/")


def milliseconds(host: Host, key: str, usual: int) -> int:
    text = host.setting(key)
    if text is None:
        return usual
    if not text.isdecimal():
        raise Fatal(f"setting {key} is no number of milliseconds")
    return max(int(text), POLL_MS_MIN)
