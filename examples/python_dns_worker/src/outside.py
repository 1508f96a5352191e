"""One request over wasi:http."""

from typing import Optional
from urllib.parse import urlsplit

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.wasi_http_types import (
    ErrorCode_HttpRequestDenied,
    Fields,
    IncomingBody,
    IncomingResponse,
    Method_Delete,
    Method_Get,
    Method_Put,
    OutgoingBody,
    OutgoingRequest,
    Scheme_Http,
    Scheme_Https,
)

METHODS = {"GET": Method_Get(), "PUT": Method_Put(), "DELETE": Method_Delete()}
SCHEMES = {"http": Scheme_Http(), "https": Scheme_Https()}
# What a stream takes at once, and what is asked of one at once.
WRITE_BYTES_MAX = 4_096
READ_BYTES_MAX = 65_536
# Answers are small; what is longer is no answer of a DNS server.
BODY_BYTES_MAX = 1 << 20


class Denied(Exception):
    """The operator did not grant it."""


class NoAnswer(Exception):
    """There is no answer, or only a part of it."""


def send(method: str, url: str, body: Optional[bytes]) -> tuple[int, bytes]:
    """Status and body of the answer."""
    request = prepare(method, url, body)
    outgoing = request.body()
    try:
        future = outgoing_handler.handle(request, None)
        if body:
            with outgoing.write() as stream:
                for begin in range(0, len(body), WRITE_BYTES_MAX):
                    stream.blocking_write_and_flush(body[begin : begin + WRITE_BYTES_MAX])
        OutgoingBody.finish(outgoing, None)
    except Err as error:
        raise trouble(error.value) from None
    with future:
        with future.subscribe() as pollable:
            pollable.block()
        answered = future.get()
    # The outer layers say "not ready" and "taken already", neither of which can be after waiting once.
    if not isinstance(answered, Ok):
        raise NoAnswer("it is not there")
    if not isinstance(answered.value, Ok):
        raise trouble(answered.value.value)
    with answered.value.value as response:
        return response.status(), read(response)


def prepare(method: str, url: str, body: Optional[bytes]) -> OutgoingRequest:
    parts = urlsplit(url)
    headers = [("content-length", str(len(body or b"")).encode())]
    if body is not None:
        headers.append(("content-type", b"application/json"))
    request = OutgoingRequest(Fields.from_list(headers))
    request.set_method(METHODS[method])
    request.set_scheme(SCHEMES[parts.scheme])
    request.set_authority(parts.netloc)
    request.set_path_with_query(parts.path + (f"?{parts.query}" if parts.query else ""))
    return request


def read(response: IncomingResponse) -> bytes:
    body = response.consume()
    pieces = []
    with body.stream() as stream:
        try:
            while sum(map(len, pieces)) <= BODY_BYTES_MAX:
                pieces.append(stream.blocking_read(READ_BYTES_MAX))
            raise NoAnswer(f"it is longer than {BODY_BYTES_MAX} bytes")
        except Err as error:
            if not isinstance(error.value, StreamError_Closed):
                raise NoAnswer("it broke off") from None
    IncomingBody.finish(body)
    return b"".join(pieces)


def trouble(code: object) -> Exception:
    return Denied() if isinstance(code, ErrorCode_HttpRequestDenied) else NoAnswer(str(code))
