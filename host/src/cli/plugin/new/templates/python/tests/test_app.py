import unittest
from unittest import mock

import app
from componentize_py_types import Err
from wit_world.imports.params import NamedError, ParamError_Unavailable, ParamError_Unknown
from wit_world.imports.types import (
    Action,
    Failure_Fatal,
    Failure_Retry,
    Job,
    ResourceRef,
    Verdict_Completed,
    Verdict_Failed,
)


def handle(action, **resolve_all):
    """The verdict, and what was reported."""
    job = Job("id", action, ResourceRef("port", "p1"), 1, 0, "template", "", "{}")
    with (
        mock.patch.object(app.params, "resolve_all", **resolve_all),
        mock.patch.object(app.state, "report") as report,
        mock.patch.object(app.log, "write"),
    ):
        return app.Handler().handle(job, None), [call.args for call in report.mock_calls]


class Tests(unittest.TestCase):
    def test_what_is_put_up_is_reported(self):
        for action in (Action.CREATE, Action.MODIFY):
            verdict, reports = handle(action, return_value='{"name":"one"}')
            self.assertEqual(verdict, Verdict_Completed())
            self.assertEqual(reports, [("my_worker", '{"name":"one"}')])

    def test_what_is_taken_down_asks_for_nothing(self):
        for action in (Action.DELETE, Action.LOGICAL_DELETE):
            verdict, reports = handle(action, side_effect=AssertionError)
            self.assertEqual((verdict, reports), (Verdict_Completed(), []))

    def test_only_trouble_of_the_moment_is_worth_another_try(self):
        for error, kind in (
            (ParamError_Unavailable("the store is away"), Failure_Retry),
            (ParamError_Unknown("name"), Failure_Fatal),
        ):
            verdict, reports = handle(Action.CREATE, side_effect=Err(NamedError("name", error)))
            self.assertIsInstance(verdict, Verdict_Failed)
            self.assertIsInstance(verdict.value, kind)
            self.assertEqual(reports, [])
