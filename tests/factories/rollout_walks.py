"""A walk at random through all that is asked of deployments, with a fault at any step of any of it.

The services, the rollout, the replicas and PostgreSQL are real; hosts are staged (`staged_hosts`), the clock is moved
by whoever sleeps, and the workflow engine's records are kept here, so that a worker can die between any two of them.
Actors take turns: what a seed did once it does again.
"""

from __future__ import annotations

import asyncio
import pickle
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import psycopg

from factories.staged_hosts import StagedExecution, StagedPlugin
from mixpeek.api.routes.plugins import remove_version
from mixpeek.collections.queries import is_used
from mixpeek.db import processes
from mixpeek.db.pool import Connection, Database, dict_rows, new_id
from mixpeek.deployments import queries, rollout, service, sharing
from mixpeek.deployments.failure import failure_from
from mixpeek.deployments.models import UNDER_WAY, Phase, Role, Status
from mixpeek.deployments.rollout import Rollout
from mixpeek.deployments.states import is_legal
from mixpeek.deployments.traffic import EVERYTHING, Split
from mixpeek.errors import MixpeekError, PluginCrashed
from mixpeek.execution.blocking import BlockingExecution
from mixpeek.execution.environments.store import Environments
from mixpeek.inspection.manifest import check_manifest
from mixpeek.model_store.cache import ModelCache
from mixpeek.model_store.service import ModelStore
from mixpeek.objects.store import ObjectStore
from mixpeek.registry import queries as registry_queries
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry
from mixpeek.serving.replicas import Replicas
from mixpeek.tenancy.models import Namespace
from mixpeek.tenancy.service import bootstrap, create_namespace
from mixpeek.workflows import engine, tasks

Result = TypeVar("Result")
# What may befall a rollout where it stands; mostly nothing does.
GO, CRASH, CRASH_INSIDE, LOSE_INSIDE, CRASH_AFTER = "go", "crash", "crash inside", "lose inside", "crash after"
FATES = (GO, CRASH, CRASH_INSIDE, LOSE_INSIDE, CRASH_AFTER)
WATCH = """
CREATE TABLE IF NOT EXISTS walk_moves (
    move bigint GENERATED ALWAYS AS IDENTITY, namespace_id text, deployment_id text, before text[], after text[]
);
CREATE OR REPLACE FUNCTION walk_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'INSERT' OR (OLD.status, OLD.phase) <> (NEW.status, NEW.phase) THEN
        INSERT INTO walk_moves (namespace_id, deployment_id, before, after) VALUES (NEW.namespace_id,
            NEW.deployment_id, CASE WHEN TG_OP = 'UPDATE' THEN ARRAY[OLD.status, OLD.phase] END,
            ARRAY[NEW.status, NEW.phase]);
    END IF;
    RETURN NEW;
END $$;
CREATE TABLE IF NOT EXISTS walk_ready (deployment_id text PRIMARY KEY);
CREATE OR REPLACE FUNCTION walk_note_ready() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.state = 'READY' AND NEW.code_hash <> 'stale' THEN
        INSERT INTO walk_ready VALUES (NEW.deployment_id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER walk_note_ready AFTER INSERT OR UPDATE ON replicas
    FOR EACH ROW EXECUTE FUNCTION walk_note_ready();
CREATE OR REPLACE TRIGGER walk_note AFTER INSERT OR UPDATE ON deployments FOR EACH ROW EXECUTE FUNCTION walk_note();
"""
SEEN = """
SELECT (SELECT jsonb_agg(m ORDER BY move) FROM walk_moves m WHERE namespace_id = %(ns)s AND move > %(seen)s) AS moves,
    (SELECT jsonb_agg(l) FROM (SELECT l.*, d.queued_at FROM live_deployments l JOIN deployments d USING (deployment_id)
        WHERE l.namespace_id = %(ns)s) l) AS live,
    (SELECT jsonb_agg(deployment_id) FROM live_deployments WHERE namespace_id = %(ns)s
        AND deployment_id NOT IN (SELECT deployment_id FROM walk_ready)) AS without_host,
    (SELECT jsonb_agg(plugin_id) FROM (SELECT plugin_id FROM deployments WHERE namespace_id = %(ns)s
        AND status IN ('QUEUED', 'PENDING', 'IN_PROGRESS') GROUP BY plugin_id HAVING count(*) > 1)) AS twice,
    (SELECT jsonb_agg(a) FROM (SELECT a.name, max(d.queued_at) AS asked FROM active_versions a
        LEFT JOIN deployments d ON (d.namespace_id, d.plugin_id, d.role) = (a.namespace_id, a.plugin_id, 'stable')
        AND d.status IN ('DEPLOYED', 'NOT_DEPLOYED') WHERE a.namespace_id = %(ns)s GROUP BY a.name) a) AS active,
    (SELECT jsonb_agg(e ORDER BY entry) FROM plugin_ledger e WHERE namespace_id = %(ns)s) AS ledger,
    (SELECT jsonb_agg(deployment_id) FROM deployments WHERE namespace_id = %(ns)s AND status = 'DEPLOYED') AS deployed
"""


class Crash(BaseException):
    """The process is gone: nothing of it catches this."""


class Runner(threading.Thread):
    """One workflow under way; it moves only while it is resumed."""

    def __init__(self, run: Callable[[Runner], None]) -> None:
        super().__init__(daemon=True)
        self._run = run
        self._turn = threading.Semaphore(0)
        self._paused = threading.Semaphore(0)
        self._command = GO
        self.ended = False
        self.error: BaseException | None = None

    def run(self) -> None:
        self._turn.acquire()
        try:
            if self._command != CRASH:
                self._run(self)
        except Crash:
            pass
        except BaseException as error:
            self.error = error
        self.ended = True
        self._paused.release()

    def pause(self) -> str:
        """Called by the workflow: wait for the next turn and return what befalls it; raise Crash if it is its end."""
        self._paused.release()
        self._turn.acquire()
        if self._command == CRASH:
            raise Crash
        return self._command

    def resume(self, command: str) -> None:
        """Let the workflow run until it pauses or ends."""
        if not self.is_alive() and not self.ended:
            self.start()
        self._command = command
        self._turn.release()
        self._paused.acquire()
        if self.error is not None:
            raise self.error


class FaultyDatabase:
    """The database as a process sees it that may die, or lose it, before, within and after every transaction."""

    def __init__(self, database: Database, pause: Callable[[], str]) -> None:
        self._database = database
        self._pause = pause

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        fate = self._pause()
        with self._database.transaction() as connection:
            yield connection
            if fate == CRASH_INSIDE:
                raise Crash
            if fate == LOSE_INSIDE:
                connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        if fate == CRASH_AFTER:
            raise Crash


class RecordedSteps:
    """The workflow engine's promise: what a step returned or raised is kept, and it is not run again."""

    def __init__(self, kept: list[bytes], pause: Callable[[], str]) -> None:
        self._kept = kept
        self._pause = pause
        self._next = 0

    def step(self, name: str, action: Callable[[], Result]) -> Result:
        place, self._next = self._next, self._next + 1
        if place == len(self._kept):
            self._pause()
            outcome: tuple[str, Any, Exception | None]
            try:
                outcome = (name, engine.despite_outages(name, action), None)
            except Exception as error:
                outcome = (name, None, error)
            if self._pause() == CRASH_AFTER:
                raise Crash
            self._kept.append(pickle.dumps(outcome))
        recorded, value, error = pickle.loads(self._kept[place])
        assert recorded == name, f"step {place} was {recorded}, and is {name} now"
        if error is not None:
            raise error
        return cast("Result", value)

    def repeatable(self, name: str, action: Callable[[], Result]) -> Result:
        return engine.despite_outages(name, action)


class ApiProcess:
    """The replicas of one API process, on a loop that runs only during its turns."""

    def __init__(self, database: Database, registry: Registry, execution: StagedExecution) -> None:
        self.process_id = new_id("api", 8)
        self._loop = asyncio.new_event_loop()
        self.replicas = Replicas(database, registry, cast("Any", execution), self.process_id, 300.0, is_used=is_used)
        self._listening = psycopg.connect(database.url, autocommit=True, application_name=self.process_id)

    def turn(self) -> None:
        """Beat, follow the database once, and let the hosts that this starts report."""

        async def turn() -> None:
            self.replicas.beat()
            await self.replicas.reconcile()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if others:
                _, pending = await asyncio.wait(others, timeout=5)
                assert not pending, pending

        self._loop.run_until_complete(turn())

    def who_answers(self, namespace_id: str, name: str) -> str | None:
        """Return which plugin answers for a name, None if no route leads anywhere or its hosts do not start."""

        async def ask() -> str | None:
            route = self.replicas.table.by_name.get((namespace_id, name))
            if route is None:
                return None
            target = route.pick()
            asked = target.submit(b'{"inputs":{},"parameters":{}}', urgent=True)
            target.tick(asyncio.get_running_loop().time())
            answer = await asyncio.wait_for(asked, 10)
            assert answer.decoded() == {"by": answer.served.code_hash}
            return answer.served.plugin_id

        return self._loop.run_until_complete(ask())

    def kill(self) -> None:
        """End without a word, as SIGKILL does."""
        self._listening.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


@dataclass
class Platform:
    """What walks share: a registry over a real database, and staged hosts for the versions in it."""

    database: Database
    registry: Registry
    execution: StagedExecution
    blocking: BlockingExecution
    scratch: Path
    organization_id: str

    @classmethod
    def in_folder(cls, database: Database, folder: Path) -> Platform:
        execution = StagedExecution({})
        blocking = BlockingExecution(cast("Any", execution))
        objects = ObjectStore(None, folder / "objects")
        scratch = folder / "unpacked"
        models = ModelStore(database, objects, ModelCache(folder / "models"), None, 0)
        registry = Registry(database, objects, blocking, scratch, 0, Environments(folder / "environments"), models)
        with database.transaction() as connection:
            connection.execute(WATCH)
            organization_id = bootstrap(connection, "sk_walks")
        return cls(database, registry, execution, blocking, scratch, organization_id)

    def make_namespace(self) -> Namespace:
        """Return a namespace that nobody else uses."""
        fields = {
            "namespace_name": new_id("walk"),
            "namespace_type": "standard",
            "description": None,
            "feature_extractors": [],
            "payload_indexes": [],
            "auto_create_indexes": False,
        }
        with self.database.transaction() as connection:
            return create_namespace(connection, self.organization_id, fields)

    def publish(self, namespace: Namespace, name: str, number: str, **staged: Any) -> PluginVersion:
        """Make a published version without an archive: its files are there already."""
        plugin_id, code_hash = f"{name}_{number.replace('.', '_')}", new_id("code")
        feature = {"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 2, "distance_metric": "dot"}
        declared = {"feature_extractor_name": name, "version": number, "description": "x", "features": [feature]}
        manifest, findings = check_manifest({**declared, "input_schema": {"examples": [{"text": "x"}]}}, None)
        assert manifest is not None, findings
        stored = manifest.model_dump(mode="json")
        self.execution.plugins[code_hash] = StagedPlugin(stored, **staged)
        (self.scratch / code_hash).mkdir(parents=True)
        row = {
            "namespace_id": namespace.namespace_id,
            "plugin_id": plugin_id,
            "name": name,
            "version": number,
            "version_key": [int(part) for part in number.split(".")],
            "description": "x",
            "code_hash": code_hash,
            "package": name,
            "archive_sha256": "0" * 64,
            "archive_key": f"archives/{code_hash}",
            "size_bytes": 1,
            "files": [],
            "manifest": stored,
            "realtime_style": "predict",
        }
        with self.database.transaction() as connection:
            registry_queries.insert_version(connection, row)
            registry_queries.set_active(connection, namespace.namespace_id, name, plugin_id, replace=False)
            version = registry_queries.find_version(connection, namespace.namespace_id, plugin_id)
        assert version is not None
        return version


@dataclass
class Walk:
    """One walk in a namespace of its own; `log` is what happened, in order."""

    platform: Platform
    seed: int
    log: list[str] = field(default_factory=list)
    moves: int = 0
    faults: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.database = self.platform.database
        self.namespace = self.platform.make_namespace()
        self.versions = [
            *(self.platform.publish(self.namespace, "words", f"1.{minor}.0") for minor in range(3)),
            self.platform.publish(self.namespace, "words", "1.3.0", numbers=3),
            self.platform.publish(self.namespace, "words", "1.4.0", raises=True),
            self.platform.publish(self.namespace, "other", "1.0.0"),
        ]
        self.runners: dict[str, Runner] = {}
        self.kept: dict[str, list[bytes]] = {}
        self.done: set[str] = set()
        self.apis: list[ApiProcess] = []
        self.live: dict[str, str] = {}
        self.canaries: dict[str, str] = {}
        self.ledger: list[dict[str, Any]] = []
        self.undeployed = 0
        self.deleted = 0
        self._checked_moves = 0
        self._live_since: dict[str, str] = {}
        self._active_since: dict[str, str] = {}
        self.clock = 0.0

    # what happens

    def run(self, steps: int) -> None:
        """Walk so many steps, then let everything come to rest; raise AssertionError naming the seed."""
        try:
            self._on_a_clock_of_its_own(steps)
        except BaseException as error:
            error.add_note(f"seed {self.seed}, after:\n" + "\n".join(self.log[-60:]))
            raise
        finally:
            for runner in self.runners.values():
                if not runner.ended:
                    runner.resume(CRASH)
            for api in self.apis:
                api.kill()
            with self.database.transaction() as connection:
                connection.execute("DELETE FROM namespaces WHERE namespace_id = %s", [self.namespace.namespace_id])

    def _on_a_clock_of_its_own(self, steps: int) -> None:
        clock = SimpleNamespace(monotonic=lambda: self.clock, sleep=self._sleep)
        kept = rollout.time, engine.time
        rollout.time = engine.time = cast("Any", clock)
        try:
            self._start_api()
            for _ in range(steps):
                self._act()
                self._check()
            self._come_to_rest()
            self._check()
            self._check_the_end()
        finally:
            rollout.time, engine.time = kept

    def _sleep(self, seconds: float) -> None:
        self.clock += max(seconds, 5.0)  # so that waiting for hosts that never come ends within a dozen turns
        current = threading.current_thread()
        if isinstance(current, Runner):
            current.pause()

    def _act(self) -> None:
        actions: list[tuple[int, Callable[[], str]]] = [
            (8, self._deploy),
            (2, self._roll_back),
            (3, self._promote),
            (2, self._undeploy),
            (1, self._delete),
            (10, self._dispatch),
            (40, self._go_on),
            (12, self._turn),
            (2, self._crash_the_worker),
            (2, self._kill_an_api),
            (1, self._start_api),
            (1, self._hang_an_api),
            (2, self._report_late),
            (2, self._fail_starts),
        ]
        weights = [weight for weight, _ in actions]
        (_, action) = self.random.choices(actions, weights)[0]
        self.log.append(action())
        self.moves += 1

    def _ask(self, what: str, call: Callable[[Connection], Any]) -> Any:
        """Carry out what a request asks for, in one transaction; sometimes its process dies or loses the database."""
        fate = self.random.choices([GO, CRASH_INSIDE, LOSE_INSIDE], [8, 1, 1])[0]
        database = FaultyDatabase(self.database, lambda: fate)
        result = None
        self.faults += fate != GO
        try:
            with database.transaction() as connection:
                result = call(connection)
        except Crash:
            return f"{what}: crashed", None
        except psycopg.OperationalError:
            return f"{what}: lost the database", None
        except MixpeekError as error:
            return f"{what}: {error.message}", None
        return what, result

    def _deploy(self) -> str:
        version, batch_only = self.random.choice(self.versions), self.random.random() < 0.2
        share = self.random.choice([EVERYTHING, EVERYTHING, Split(Role.CANARY, 10), Split(Role.SHADOW, 0)])
        split = EVERYTHING if batch_only else share
        said, _ = self._ask(
            f"deploy {version.plugin_id} {split}{', batch_only' * batch_only}",
            lambda connection: service.deploy(
                connection, self.namespace, version, batch_only=batch_only, message=None, actor="walk", split=split
            ),
        )
        return str(said)

    def _roll_back(self) -> str:
        version = self.random.choice(self.versions)
        said, _ = self._ask(
            f"roll back to {version.plugin_id}",
            lambda connection: service.roll_back(connection, self.namespace, version, message=None, actor="walk"),
        )
        return str(said)

    def _promote(self) -> str:
        version = self.random.choice(self.versions)
        said, _ = self._ask(
            f"promote {version.plugin_id}",
            lambda connection: sharing.promote(connection, version, message=None, actor="walk"),
        )
        return str(said)

    def _undeploy(self) -> str:
        version = self.random.choice(self.versions)
        said, state = self._ask(
            f"undeploy {version.plugin_id}",
            lambda connection: service.undeploy(connection, version, actor="walk"),
        )
        if state is not None and state["was_deployed"]:
            self.undeployed += 1
            self._let_go(version)
        return str(said)

    def _let_go(self, version: PluginVersion) -> None:
        """A version was undeployed; if it was the stable one, any wish is newer than none."""
        if self.live[version.name] == version.plugin_id:
            del self.live[version.name], self._live_since[version.name]

    def _delete(self) -> str:
        version = self.random.choice(self.versions)
        said, was_deployed = self._ask(
            f"delete {version.plugin_id}",
            lambda connection: remove_version(connection, version, actor="walk", force=False),
        )
        if was_deployed is not None:
            self.deleted += 1
            self._active_since.pop(version.name, None)
        if was_deployed:
            self.undeployed += 1
            self._let_go(version)
        return str(said)

    def _dispatch(self) -> str:
        """Take a task from the outbox; sometimes the worker dies before it is marked, and takes it twice."""
        waiting: list[tasks.Task] = []
        others: list[str] = []
        with self.database.transaction() as connection:
            while task := tasks.take_from_outbox(connection, others):
                others.append(task.task_id)
                waiting += [task] if task.namespace_id == self.namespace.namespace_id else []
        if not waiting:
            return "nothing to dispatch"
        task = self.random.choice(waiting)
        if task.task_id not in self.kept:
            self._begin(task.task_id, task.inputs)
        if self.random.random() < 0.1:
            return f"dispatch {task.inputs['deployment_id']}: died before it was marked"
        with self.database.transaction() as connection:
            tasks.mark_dispatched(connection, task.task_id, "worker")
        return f"dispatch {task.inputs['deployment_id']}"

    def _begin(self, task_id: str, inputs: dict[str, Any]) -> None:
        """Start a task's workflow, or go on with it as far as its steps are recorded."""
        kept = self.kept.setdefault(task_id, [])

        def carry_out(runner: Runner) -> None:
            carried = Rollout(
                cast("Any", FaultyDatabase(self.database, runner.pause)), self.platform.registry, self.platform.blocking
            )
            carried.run(RecordedSteps(kept, runner.pause), task_id, inputs)
            self.done.add(task_id)

        self.runners[task_id] = Runner(carry_out)

    def _go_on(self) -> str:
        under_way = [task_id for task_id, runner in self.runners.items() if not runner.ended]
        if not under_way:
            return "no workflow to go on with"
        task_id = self.random.choice(under_way)
        fates = self.random.choices(FATES, [30, 1, 1, 1, 2], k=self.random.randint(1, 20))
        runner = self.runners[task_id]
        for fate in fates:
            self.faults += fate != GO
            runner.resume(fate)
            if runner.ended:
                break
        self._recover()
        return f"{task_id}: {', '.join(fate for fate in fates if fate != GO) or GO}"

    def _recover(self) -> None:
        """Do as a worker that starts again: go on with every workflow that has not ended."""
        for task_id, runner in list(self.runners.items()):
            if runner.ended and task_id not in self.done:
                with self.database.transaction() as connection:
                    task = tasks.get_task(connection, self.platform.organization_id, task_id)
                self._begin(task_id, task.inputs)

    def _crash_the_worker(self) -> str:
        self.faults += 1
        for runner in self.runners.values():
            if not runner.ended:
                runner.resume(CRASH)
        self._recover()
        return "the worker dies and starts again"

    def _turn(self) -> str:
        if not self.apis:
            return "no API process"
        api = self.random.choice(self.apis)
        api.turn()
        for name in self.live:
            assert (self.namespace.namespace_id, name) in api.replicas.table.by_name, f"no route for {name}"
        return f"{api.process_id} follows"

    def _kill_an_api(self) -> str:
        if not self.apis:
            return "no API process to kill"
        self.faults += 1
        api = self.apis.pop(self.random.randrange(len(self.apis)))
        api.kill()
        return f"{api.process_id} is killed"

    def _start_api(self) -> str:
        if len(self.apis) == 2:
            return "two API processes are enough"
        self.apis.append(ApiProcess(self.database, self.platform.registry, self.platform.execution))
        return f"{self.apis[-1].process_id} starts"

    def _hang_an_api(self) -> str:
        """Let the heartbeats of a process be missing, for as long as it has no turn."""
        if not self.apis:
            return "no API process to hang"
        self.faults += 1
        api = self.random.choice(self.apis)
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE processes SET heartbeat_at = now() - interval '1 minute' WHERE process_id = %s",
                [api.process_id],
            )
        return f"{api.process_id} beats no more"

    def _report_late(self) -> str:
        """Report of any deployment, whatever its state, that a host of it failed or is ready."""
        with self.database.transaction() as connection:
            rows = self._rows(
                connection, "SELECT deployment_id FROM deployments WHERE namespace_id = %(ns)s ORDER BY 1"
            )
        if not rows or not self.apis:
            return "nothing to report of"
        self.faults += 1
        deployment_id, api = self.random.choice(rows)["deployment_id"], self.random.choice(self.apis)
        error = self.random.choice([None, failure_from(PluginCrashed("A host ended, long ago"))])
        with self.database.transaction() as connection:
            processes.beat(connection, api.process_id, "api")
            for _ in range(2):
                queries.report_replica(connection, deployment_id, api.process_id, None if error else "stale", error)
        return f"{api.process_id} reports of {deployment_id}: {error and error['message']}"

    def _fail_starts(self) -> str:
        self.faults += 1
        self.platform.execution.faults = self.random.randint(1, 2)
        return f"the next {self.platform.execution.faults} hosts do not start"

    def _come_to_rest(self) -> None:
        """No more faults: every rollout must end."""
        self.log.append("rest")
        self.platform.execution.faults = 0
        if not self.apis:
            self._start_api()
        for _ in range(400):
            for api in self.apis:
                api.turn()
            with self.database.transaction() as connection:
                waiting = self._rows(
                    connection, "SELECT task_id FROM tasks WHERE namespace_id = %(ns)s AND dispatched_at IS NULL"
                )
            if waiting:
                self.log.append(self._dispatch())
            under_way = [runner for runner in self.runners.values() if not runner.ended]
            if not waiting and not under_way:
                return
            for runner in under_way:
                runner.resume(GO)
            self._check()
        raise AssertionError("something is under way for ever")

    # what must hold

    def _check(self) -> None:
        with self.database.transaction() as connection:
            (seen,) = self._rows(connection, SEEN, seen=self._checked_moves)
        moves, live, ledger = seen["moves"] or [], seen["live"] or [], seen["ledger"] or []
        for move in moves:
            self._checked_moves = move["move"]
            after = (Status(move["after"][0]), Phase(move["after"][1]))
            if move["before"] is None:
                assert after == (Status.QUEUED, Phase.QUEUED), move
            else:
                left = (Status(move["before"][0]), Phase(move["before"][1]))
                assert is_legal(left, after), f"{left} → {after}"
        assert set(seen["deployed"] or []) == {row["deployment_id"] for row in live}
        stable = [row for row in live if row["role"] == Role.STABLE]
        beside = [row["name"] for row in live if row["role"] != Role.STABLE]
        assert len({row["name"] for row in stable}) == len(stable)
        assert len(set(beside)) == len(beside)
        assert set(beside) <= {row["name"] for row in stable}
        assert not seen["without_host"], "what is live never had a host ready"
        assert not seen["twice"], "one version is being deployed twice"
        good = {version.plugin_id for version in self.versions if version.version not in ("1.3.0", "1.4.0")}
        assert {row["plugin_id"] for row in live} <= good, "what did not pass its gate is live"
        for row in stable:
            before = self._live_since.get(row["name"], "")
            assert row["queued_at"] >= before, "an earlier wish replaced a later one"
            self._live_since[row["name"]] = row["queued_at"]
        for row in live:
            earlier = row["role"] != Role.STABLE and row["queued_at"] < self._live_since[row["name"]]
            assert not earlier, "a version stands beside one that was asked for later"
        self._check_active(seen["active"] or [])
        now_live = {row["name"]: row["plugin_id"] for row in stable}
        assert set(self.live) <= set(now_live), "what was live is gone, and nobody asked for that"
        self.live = now_live
        self.canaries = {row["name"]: row["plugin_id"] for row in live if row["role"] == Role.CANARY}
        assert ledger[: len(self.ledger)] == self.ledger, "the ledger was changed"
        self.ledger = ledger

    def _check_active(self, active: list[dict[str, Any]]) -> None:
        """What batches go to was asked for last, unless the version before was deleted."""
        for row in active:
            before = self._active_since.get(row["name"], "")
            assert row["asked"] is None or row["asked"] >= before, "an earlier wish is active in place of a later one"
            self._active_since[row["name"]] = row["asked"] or ""

    def _check_the_end(self) -> None:
        with self.database.transaction() as connection:
            rows = self._rows(connection, "SELECT * FROM deployments WHERE namespace_id = %(ns)s ORDER BY queued_at")
            ended = self._rows(connection, "SELECT * FROM tasks WHERE namespace_id = %(ns)s")
            active = self._rows(connection, "SELECT * FROM active_versions WHERE namespace_id = %(ns)s")
            ghosts = self._rows(
                connection,
                "SELECT d.* FROM deployments d JOIN plugin_versions v USING (namespace_id, plugin_id)"
                " WHERE namespace_id = %(ns)s AND v.deleted_at < d.queued_at",
            )
        assert not ghosts, "a deleted version was deployed"
        found = {task["task_id"]: task for task in ended}
        assert set(found) == {row["task_id"] for row in rows if row["task_id"]}
        for row in rows:
            assert row["status"] not in UNDER_WAY, row
            assert bool(row["error"]) == (row["status"] == Status.FAILED), row
            phases = [moment["phase"] for moment in row["timeline"] if moment["phase"] != Phase.LIVE]
            assert len(phases) == len(set(phases)) or row["status"] == Status.FAILED, phases
            if row["task_id"]:
                wanted = "FAILED" if row["status"] == Status.FAILED else "COMPLETED"
                assert found[row["task_id"]]["status"] == wanted, row
            self._check_ledger(row)
        assert sum(entry["action"] == "undeploy" for entry in self.ledger) == self.undeployed
        assert sum(entry["action"] == "delete" for entry in self.ledger) == self.deleted
        versions = {row["plugin_id"] for row in active}
        assert set(self.live.values()) <= {version.plugin_id for version in self.versions}
        assert len(versions) == len(active)
        for api in self.apis:
            for name in ("words", "other"):
                answering = api.who_answers(self.namespace.namespace_id, name)
                assert answering in {self.live.get(name), self.canaries.get(name)}, name
                assert (answering is None) == (name not in self.live), name

    def _check_ledger(self, row: dict[str, Any]) -> None:
        entries = [e for e in self.ledger if e["details"].get("deployment_id") == row["deployment_id"]]
        # What became of a live one later, by a promotion or another share, is told as well.
        later = [e for e in entries if e["action"] == "promote" or "traffic_before" in e["details"]]
        outcomes = [entry["outcome"] for entry in entries if entry not in later]
        if row["task_id"] is None:
            wanted = ["batch_only"]
        elif row["status"] == Status.FAILED:
            wanted = ["queued", "failed"]
        else:
            live = "deployed" if row["role"] == Role.STABLE else row["role"]
            wanted = ["queued", "activated" if row["deployment_type"] == "batch_only" else live]
        assert outcomes == wanted, (row["status"], row["phase"], outcomes)

    def _rows(self, connection: Connection, sql: Any, **more: Any) -> list[dict[str, Any]]:
        return dict_rows(connection, sql, {"ns": self.namespace.namespace_id, **more})
