"""The work against a host made of a script; plain Python, no sandbox."""

import json
import unittest

import dns

URL = "http://dns:8053/records/p%201"
RECORD = {"name": "www", "type": "A", "values": ["10.0.0.5", "10.0.0.6"]}


class Script:
    """A host that expects these requests, in this order."""

    def __init__(self, *expected, params=None, **settings):
        self.expected, self.seen, self.reports = list(expected), [], {}
        self.settings = {"dns_url": "http://dns:8053/", "dns_poll_ms": "100", **settings}
        self.given = {"name": "www", "values": ["10.0.0.6", "10.0.0.5"]} if params is None else params

    def setting(self, key):
        return self.settings.get(key)

    def params(self):
        return self.given

    def http(self, method, url, body):
        expected, status, answer = self.expected.pop(0)
        self.seen.append(None if body is None else json.loads(body))
        assert (method, url) == (expected, URL), (method, url)
        return status, json.dumps(answer).encode()

    def report(self, field, value):
        self.reports[field] = value

    def log(self, line):
        pass


def to_the_end(host, takes_down=False):
    """Calls as long as it wants to be called again; says how often."""
    checkpoint = None
    for calls in range(1, 10):
        pending = dns.handle(host, takes_down, "p 1", checkpoint)
        if pending is None:
            assert not host.expected
            return calls
        checkpoint = json.loads(json.dumps(pending.checkpoint))
    raise AssertionError("it does not end")


class Tests(unittest.TestCase):
    def test_a_record_is_sent_and_reported_once_everybody_sees_it(self):
        host = Script(
            ("PUT", 201, {}), ("GET", 404, None), ("GET", 200, {**RECORD, "values": []}), ("GET", 200, {**RECORD, "ttl": 1})
        )
        self.assertEqual(to_the_end(host), 4)
        self.assertEqual(host.seen, [RECORD, None, None, None])
        self.assertEqual(host.reports, {"dns_record": RECORD})

    def test_a_record_that_does_not_show_is_tried_again(self):
        host = Script(("PUT", 201, {}), ("GET", 404, None), ("GET", 404, None), dns_wait_ms_max="200")
        with self.assertRaisesRegex(dns.Retry, "does not show its record after 200 ms"):
            to_the_end(host)

    def test_what_is_not_there_is_taken_down_already_and_no_param_is_asked_for(self):
        for status in (204, 404):
            host = Script(("DELETE", status, None))
            host.params = None
            self.assertEqual(to_the_end(host, takes_down=True), 1)
            self.assertEqual(host.reports, {})

    def test_a_busy_server_is_worth_another_try_and_a_refusal_is_final(self):
        for status, kind in ((503, dns.Retry), (429, dns.Retry), (422, dns.Fatal)):
            for method, takes_down in (("PUT", False), ("DELETE", True)):
                with self.assertRaisesRegex(kind, f"{method} {URL} was answered with {status}"):
                    to_the_end(Script((method, status, None)), takes_down)

    def test_params_and_settings_that_make_no_record_say_so(self):
        for params, words in (
            ({"name": "www", "values": []}, "param values is empty"),
            ({"name": "", "values": ["10.0.0.5"]}, "param name is empty"),
            ({"name": "www", "values": 1}, "param values is neither a text nor a list of texts"),
        ):
            with self.assertRaisesRegex(dns.Fatal, words):
                to_the_end(Script(params=params))
        for settings, words in (
            ({"dns_url": None}, "setting dns_url is missing"),
            ({"dns_url": "dns:8053"}, "setting dns_url is no http or https address"),
            ({"dns_poll_ms": "soon"}, "setting dns_poll_ms is no number of milliseconds"),
        ):
            with self.assertRaisesRegex(dns.Fatal, words):
                to_the_end(Script(**settings))
