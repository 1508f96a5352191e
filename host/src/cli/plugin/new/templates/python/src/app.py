"""A handler for Stokehold: it reports its params back, so that /state shows what a template's mapping yields."""

from typing import Optional

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import log, params, state
from wit_world.imports.params import NamedError, ParamError_Unavailable
from wit_world.imports.types import (
    Action,
    Description,
    Failure,
    Failure_Fatal,
    Failure_Retry,
    Job,
    UpdateStyle,
    Verdict,
    Verdict_Completed,
    Verdict_Failed,
)


class Handler(exports.Handler):
    def describe(self) -> Description:
        return Description(
            name="my_worker",
            # In every workflow it comes after these.
            after=["heat_worker"],
            update=UpdateStyle.MODIFY,
            limits=[],
            grants=[],
        )

    def handle(self, job: Job, checkpoint: Optional[str]) -> Verdict:
        """It may be called twice for the same job: after a crash the host cannot know whether the first call had an
        effect."""
        if job.action in (Action.DELETE, Action.LOGICAL_DELETE):
            log.write(log.Level.INFO, "there is nothing to take down")
            return Verdict_Completed()
        try:
            report = params.resolve_all()
        except Err as error:
            return Verdict_Failed(failure(error.value))
        state.report("my_worker", report)
        return Verdict_Completed()


def failure(named: NamedError) -> Failure:
    """Whether another try can help, in words that end up in the resource's state."""
    if isinstance(named.error, ParamError_Unavailable):
        return Failure_Retry(f"cannot resolve param {named.name}: {named.error.value}")
    return Failure_Fatal(f"cannot resolve param {named.name}: {named.error}")
