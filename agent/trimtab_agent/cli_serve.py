"""``trimtab-agent serve``."""

from __future__ import annotations

import asyncio
import logging
import sys
from functools import partial
from pathlib import Path

import click
from trimtab_protos.heaps import keep_one_heap

from trimtab_agent import __version__
from trimtab_agent.cli_parts import ROOT, check_finite, refuse
from trimtab_agent.config import (
    DAY_NS,
    DEFAULT_CALLS_PER_S,
    DEFAULT_KEEP_UNCOLLECTED_NS,
    DEFAULT_MAX_JOB_NS,
    HOUR_NS,
    MEGABYTE,
    ConfigError,
    LoopbackAddress,
    Settings,
    default_state_dir,
    metrics_address,
    parse_listen,
)
from trimtab_agent.logs import log_to_standard_error, say
from trimtab_agent.worker_environment import (
    allow_delegates,
    set_worker_user,
    switch_isolation_off,
)

_METRICS_HOST = "127.0.0.1"
_INTERRUPTED = 130


@click.command()
@click.option(
    "--listen",
    required=True,
    metavar="unix:PATH|HOST:PORT",
    help="Where to serve: a Unix socket or a loopback address, in the clear (port 0: any free "
    "one); with --identity any address, with TLS.",
)
@click.option(
    "--identity",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="TRIMTAB_IDENTITY",
    metavar="BUNDLE",
    help="The device's identity, a file that `trimtab fleet identity NAME` makes on the host.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for artifacts and jobs.  [default: ~/.local/state/trimtab-agent]",
)
@click.option(
    "--max-artifact-mb",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    help="The largest artifact that is taken, in megabytes.",
)
@click.option(
    "--quota-mb",
    type=click.IntRange(min=1),
    help="Keep at most this much of what hosts send: files used longest ago go first.  "
    "[default: as much as the disk has]",
)
@click.option(
    "--keep-uncollected-days",
    type=click.FloatRange(min=0, min_open=True, max=3660),
    default=DEFAULT_KEEP_UNCOLLECTED_NS / DAY_NS,
    show_default=True,
    help="How long results that no host fetches stay although newer ones need the room; until "
    "then new jobs are refused where these take all of it.",
)
@click.option(
    "--max-worker-memory-mb",
    type=click.IntRange(min=0),
    help="End a model that keeps more than this in memory, whatever its job asks for (0: none)."
    "  [default: 80 % of the device's memory]",
)
@click.option("--name", default="", help="How the device calls itself.  [default: its host name]")
@click.option(
    "--allow-code-in-models",
    is_flag=True,
    envvar="TRIMTAB_ALLOW_CODE_IN_MODELS",
    help="Load files that can run any code here (.pt, .pt2, ONNX with EPContext, .pte for other "
    "backends than XNNPACK): for files that you trust.",
)
@click.option(
    "--delegate",
    "delegates",
    multiple=True,
    metavar="NAME=FILE",
    help="A LiteRT delegate's library that hosts may ask for as accelerator NAME; repeatable.",
)
@click.option(
    "--max-job-hours",
    type=click.FloatRange(min=0, min_open=True, max=8784),
    default=DEFAULT_MAX_JOB_NS / HOUR_NS,
    show_default=True,
    help="The longest that one job may hold the device, whatever it asks for.",
)
@click.option(
    "--max-calls-per-second",
    type=click.FloatRange(min=1),
    default=DEFAULT_CALLS_PER_S,
    show_default=True,
    help="What one caller may ask, on the average; twice that at once.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    envvar="TRIMTAB_LOG_FORMAT",
    default="text",
    show_default=True,
    help="json: one object a line, with the job that it is about.",
)
@click.option("--announce", is_flag=True, help="Tell of it on the local network by mDNS.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    help="Figures for Prometheus, in the clear on this port of --metrics-listen (0: a free one).",
)
@click.option(
    "--metrics-listen",
    metavar="HOST",
    help="A loopback address: whoever reaches it may read the figures; with --metrics-port.  "
    "[default: 127.0.0.1]",
)
@click.option(
    "--no-isolation",
    is_flag=True,
    envvar="TRIMTAB_NO_ISOLATION",
    help="Let models and runtimes reach the network, write anywhere, start processes without end.",
)
@click.option(
    "--worker-user",
    envvar="TRIMTAB_WORKER_USER",
    metavar="USER",
    help="As whom models run, where the agent is root; one that owns nothing.  "
    "[default: trimtab-worker, where there is such a user]",
)
@click.option("--stop-with-stdin", is_flag=True, help="Stop when standard input is closed.")
@ROOT
def serve(  # noqa: PLR0913 - one for each option
    listen: str,
    identity: Path | None,
    state: Path | None,
    max_artifact_mb: int,
    quota_mb: int | None,
    max_worker_memory_mb: int | None,
    keep_uncollected_days: float,
    name: str,
    allow_code_in_models: bool,
    delegates: tuple[str, ...],
    max_job_hours: float,
    max_calls_per_second: float,
    log_format: str,
    announce: bool,
    metrics_port: int | None,
    metrics_listen: str | None,
    no_isolation: bool,
    worker_user: str | None,
    stop_with_stdin: bool,
    root: Path,
) -> None:
    """Serve jobs until stopped.

    \b
    Examples:
      trimtab-agent serve --listen unix:/run/trimtab-agent/agent.sock
      trimtab-agent serve --identity pi5.identity --listen 0.0.0.0:7433
    """
    keep_one_heap()
    from trimtab_agent.server import serve as serve_until_stopped

    log_to_standard_error(log_format)
    try:
        check_finite(
            max_job_hours=max_job_hours,
            max_calls_per_second=max_calls_per_second,
            keep_uncollected_days=keep_uncollected_days,
        )
        allow_delegates(delegates)
        if no_isolation:
            switch_isolation_off()
        if worker_user:
            set_worker_user(worker_user)
        settings = Settings(
            listen=parse_listen(listen, identity is not None),
            identity=None if identity is None else identity.absolute(),
            state_dir=(state or default_state_dir()).absolute(),
            display_name=name,
            max_artifact_bytes=max_artifact_mb * MEGABYTE,
            quota_bytes=(quota_mb or 0) * MEGABYTE,
            max_worker_bytes=(
                None if max_worker_memory_mb is None else max_worker_memory_mb * MEGABYTE
            ),
            keep_uncollected_ns=round(keep_uncollected_days * DAY_NS),
            stop_with_stdin=stop_with_stdin,
            root=root,
            allow_code_in_models=allow_code_in_models,
            max_job_ns=round(max_job_hours * HOUR_NS),
            calls_per_s=max_calls_per_second,
            announce=announce,
            metrics=_metrics(metrics_listen, metrics_port),
        )
        code = asyncio.run(serve_until_stopped(settings, partial(_say_ready, log_format)))
    except (ConfigError, OSError) as error:
        refuse(error, log_format)
    except KeyboardInterrupt:  # before the server took the signal over
        code = _INTERRUPTED
    sys.exit(code)


def _metrics(host: str | None, port: int | None) -> LoopbackAddress | None:
    if host is not None and port is None:
        raise ConfigError(f"--metrics-listen {host} serves nothing without --metrics-port PORT")
    return metrics_address(host or _METRICS_HOST, port)


def _say_ready(log_format: str, address: str) -> None:
    say(log_format, logging.INFO, f"trimtab-agent {__version__} listening on {address}")
