"""The support check: load the model, run it once, ask the runtime where its operators ran."""

from __future__ import annotations

from trimtab_agent.runtimes.base import Session
from trimtab_agent.runtimes.operators import OperatorProfile, places_of
from trimtab_agent.worker.channel import Channel
from trimtab_agent.worker.loading import start_session
from trimtab_agent.worker.messages import WorkerTask


def check_support(task: WorkerTask, channel: Channel) -> None:
    """``loaded`` comes before the run: a model that loads and does not run is told as such."""
    session = start_session(task, channel).session
    places = session.placement()
    reason = ""
    if not places:
        profile = _profile(session)
        places = places_of(profile.measured or profile.operators)
        reason = "" if places else profile.times_unavailable or "this runtime does not tell"
    session.close()
    channel.send("checked", places=places, unavailable=reason)


def _profile(session: Session) -> OperatorProfile:
    return session.profile(1, {0})
