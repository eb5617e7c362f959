"""What the database tells the API process: which deployments, keys and namespaces changed, logs grew, tasks ended."""

from __future__ import annotations

import logging
import threading
import time

import psycopg

from mixpeek.api.platform import Platform
from mixpeek.deployments import queries as deployments
from mixpeek.plugin_logs import queries as plugin_logs
from mixpeek.tenancy import queries as tenancy
from mixpeek.workflows import tasks

log = logging.getLogger(__name__)
PAUSE_S = 1.0


def listen_for_changes(platform: Platform, process_id: str) -> None:
    """Act on what the database tells of, in a thread that follows its notices: deployments, keys, namespaces.

    Its connection bears the name of this process: while it is open, rollouts wait for hosts here.
    """

    def note(channel: str, about: str = "") -> None:
        if channel == plugin_logs.CHANNEL:
            platform.loop.call_soon_threadsafe(platform.log_followers.note, about)
        elif channel == tasks.ENDS_CHANNEL:
            platform.loop.call_soon_threadsafe(platform.task_waiters.note, about)
        elif channel == deployments.CHANNEL:
            platform.loop.call_soon_threadsafe(platform.replicas.wake.set)
        else:
            platform.keyring.forget()
            platform.addresses.forget()
            # Who follows a log may have lost the right to.
            platform.loop.call_soon_threadsafe(platform.log_followers.note, "")

    def follow() -> None:
        while True:
            try:
                url = platform.database.url
                with psycopg.connect(url, autocommit=True, application_name=process_id) as connection:
                    for channel in (deployments.CHANNEL, tenancy.CHANNEL, plugin_logs.CHANNEL, tasks.ENDS_CHANNEL):
                        connection.execute(f"LISTEN {channel}")
                    # What changed while nobody listened was not heard.
                    note(deployments.CHANNEL)
                    note(tenancy.CHANNEL)
                    note(tasks.ENDS_CHANNEL)
                    for notice in connection.notifies():
                        note(notice.channel, notice.payload)
            except psycopg.OperationalError as error:
                log.warning("lost the connection that listens for changes, trying again: %s", error)
            except Exception:
                # The edge of a loop that must not end: a database that is read-only after a failover, say.
                log.exception("changes could not be listened for, trying again")
            time.sleep(PAUSE_S)

    threading.Thread(target=follow, name="change-notices", daemon=True).start()
