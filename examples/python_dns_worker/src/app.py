"""The handler `python_dns_worker`: joins the work of `dns.py` to what the host lends."""

import json
from typing import Any, Optional

import dns
import outside
from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import config, log, params, state
from wit_world.imports.params import ParamError_Unavailable
from wit_world.imports.worker_types import (
    Action,
    Description,
    Failure_Fatal,
    Failure_Retry,
    Grant,
    Job,
    Pending,
    UpdateStyle,
    Verdict,
    Verdict_Completed,
    Verdict_Failed,
    Verdict_Pending,
)

NAME = "python_dns_worker"


class Handler(exports.Handler):
    def describe(self) -> Description:
        settings = [Grant("config", key) for key in (dns.URL, dns.POLL, dns.WAIT)]
        return Description(
            name=NAME,
            after=["heat_worker"],
            update=UpdateStyle.MODIFY,
            limits=[],
            grants=[Grant("http", f"config:{dns.URL}"), *settings],
        )

    def handle(self, job: Job, checkpoint: Optional[str]) -> Verdict:
        takes_down = job.action in (Action.DELETE, Action.LOGICAL_DELETE)
        waiting = None if checkpoint is None else json.loads(checkpoint)
        try:
            pending = dns.handle(TheHost(), takes_down, job.target.resource_id, waiting)
        except dns.Retry as failure:
            return Verdict_Failed(Failure_Retry(str(failure)))
        except dns.Fatal as failure:
            return Verdict_Failed(Failure_Fatal(str(failure)))
        if pending is None:
            return Verdict_Completed()
        return Verdict_Pending(Pending(pending.after_ms, json.dumps(pending.checkpoint)))


class TheHost:
    """`dns.Host`, for real."""

    def setting(self, key: str) -> Optional[str]:
        return config.get(key)

    def params(self) -> dict[str, Any]:
        try:
            return json.loads(params.resolve_all())
        except Err as failed:
            named = failed.value
            if isinstance(named.error, ParamError_Unavailable):
                raise dns.Retry(f"cannot resolve param {named.name}: {named.error.value}") from None
            raise dns.Fatal(f"cannot resolve param {named.name}: {named.error}") from None

    def http(self, method: str, url: str, body: Optional[bytes]) -> tuple[int, bytes]:
        try:
            return outside.send(method, url, body)
        except outside.Denied:
            raise dns.Fatal(
                f'{url} is not granted: set http = ["HOST:PORT"] under [plugins.{NAME}] in stokehold.toml'
            ) from None
        except outside.NoAnswer as why:
            raise dns.Retry(f"cannot ask the DNS server at {url}: {why}") from None

    def report(self, field: str, value: Any) -> None:
        state.report(field, json.dumps(value))

    def log(self, line: str) -> None:
        log.write(log.Level.INFO, line)
