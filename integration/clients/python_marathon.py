"""Drives a running rollcall with python-marathon, which refuses every member that it does not know.

usage: python_marathon.py http://host:port
"""

import inspect
import logging
import sys
import threading
import time

from marathon import MarathonClient
from marathon.exceptions import ConflictError, MarathonHttpError, NotFoundError
from marathon.models import MarathonApp, MarathonGroup, MarathonHealthCheck

PATIENCE = 30


def wait(what, holds):
    """Looks at something in another process until it is as it should be."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError("it never happened that " + what)
        time.sleep(0.02)


def refused(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError("%s was not refused" % call.__name__)


def settled(c):
    wait("all deployments end", lambda: not c.list_deployments())


def server(c):
    assert b"pong" in c.ping()
    assert c.get_info().name == "marathon"
    assert ":" in c.get_leader()["leader"]
    assert c.get_metrics()["gauges"]["marathon.groups.active.gauge"]["value"] >= 1
    refused(NotFoundError, c.list_event_subscriptions)
    refused(NotFoundError, c.create_event_subscription, "http://127.0.0.1:9/")
    refused(NotFoundError, c.delete_event_subscription, "http://127.0.0.1:9/")
    refused(MarathonHttpError, c.delete_leader)


def apps(c):
    checked = MarathonApp(cmd="exec python3 -m http.server --bind $HOST $PORT0", cpus=0.01, mem=32, instances=1,
                          health_checks=[MarathonHealthCheck(protocol="HTTP", path="/", interval_seconds=1)])
    c.create_app("/py/checked", checked)
    app = MarathonApp(cmd="sleep 1000", cpus=0.01, mem=16, instances=2, labels={"tier": "front"})
    created = c.create_app("/py/web", app)
    assert created.id == "/py/web", created
    wait("a task is healthy", lambda: c.get_app("/py/checked").tasks_healthy == 1)
    assert c.list_tasks("/py/checked")[0].health_check_results[0].alive
    c.delete_app("/py/checked")
    settled(c)
    refused(ConflictError, c.create_app, "/py/web", app)
    refused(NotFoundError, c.get_app, "/py/none")

    [listed] = c.list_apps(label="tier==front", embed_tasks=True, embed_counts=True, embed_deployments=True,
                           embed_readiness=True, embed_last_task_failure=True, embed_failures=True, embed_task_stats=True)
    assert len(listed.tasks) == 2 and listed.tasks_running == 2
    assert listed.task_stats.total_summary.stats.counts.running == 2

    [first] = c.list_versions("/py/web")
    c.scale_app("/py/web", delta=1)
    settled(c)
    c.scale_app("/py/web", instances=2)
    settled(c)
    assert len(c.list_versions("/py/web")) == 3
    assert c.get_version("/py/web", first).instances == 2

    c.update_app("/py/web", MarathonApp(cmd="sleep 2000"))
    settled(c)
    assert c.get_app("/py/web").cmd == "sleep 2000"
    c.update_apps([MarathonApp(id="/py/web", cmd="sleep 3000")])
    settled(c)
    c.rollback_app("/py/web", first)
    settled(c)
    assert c.get_app("/py/web").cmd == "sleep 1000"

    before = {t.id for t in c.list_tasks("/py/web")}
    c.restart_app("/py/web")
    settled(c)
    tasks = c.list_tasks("/py/web")
    assert len(tasks) == 2 and not before & {t.id for t in tasks}, tasks
    assert {t.id for t in tasks} <= {t.id for t in c.list_tasks()}
    assert {(e.task_id, e.task_port) for e in c.list_endpoints()} >= {(t.id, t.ports[0]) for t in tasks}

    c.kill_task("/py/web", tasks[0].id, scale=True)
    settled(c)
    assert c.get_app("/py/web").instances == 1
    c.kill_given_tasks([tasks[1].id])
    wait("the task is replaced", lambda: [t.id for t in c.list_tasks("/py/web") if t.state == "TASK_RUNNING" and t.id != tasks[1].id])
    c.kill_tasks("/py/web", wipe=True)
    wait("another one runs", lambda: c.get_app("/py/web").tasks_running == 1)
    c.delete_app("/py/web", force=True)
    settled(c)


def groups(c):
    app = MarathonApp(id="/py/group/a", cmd="sleep 1000", cpus=0.01, mem=16, instances=1)
    c.create_group(MarathonGroup(id="/py/group", apps=[app]))
    settled(c)
    group = c.get_group("/py/group")
    assert [a.id for a in group.apps] == ["/py/group/a"]
    assert any(g.id == "/py" or g.id == "/" for g in c.list_groups())
    c.scale_group("/py/group", 2)
    settled(c)
    assert c.get_app("/py/group/a").instances == 2
    c.rollback_group("/py/group", group.version.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
                     if hasattr(group.version, "strftime") else group.version)
    settled(c)
    assert c.get_app("/py/group/a").instances == 1
    other = MarathonApp(id="/py/group/b", cmd="sleep 1000", cpus=0.01, mem=16, instances=1)
    c.update_group("/py/group", MarathonGroup(id="/py/group", apps=[other]))
    settled(c)
    refused(NotFoundError, c.get_app, "/py/group/a")
    c.delete_group("/py/group")
    settled(c)


def waiting(c):
    app = MarathonApp(cmd="sleep 1000", cpus=0.01, mem=16, instances=5, constraints=[["hostname", "LIKE", "nowhere"]])
    c.create_app("/py/big", app)
    wait("offers were refused", lambda: c.list_queue(embed_last_unused_offers=True)[0].last_unused_offers)
    [item] = c.list_queue()
    assert item.app.id == "/py/big" and item.count == 5 and item.delay.overdue
    c.reset_delay("/py/big")
    [deployment] = c.list_deployments()
    assert deployment.current_step == 2 and deployment.total_steps == 2
    c.delete_deployment(deployment.id)
    settled(c)
    refused(NotFoundError, c.get_app, "/py/big")


def events(c, seen, ready):
    for event in c.event_stream(event_types=["api_post_event", "status_update_event", "event_stream_attached"]):
        seen.append(event)
        ready.set()
        if any(e.event_type == "status_update_event" for e in seen):
            return


def record(called):
    """Notes which methods of the client are called."""
    for name, method in inspect.getmembers(MarathonClient, inspect.isfunction):
        def noted(*args, _name=name, _method=method, **kwargs):
            called.add(_name)
            return _method(*args, **kwargs)
        if not name.startswith("_"):
            noted.__name__ = name
            setattr(MarathonClient, name, noted)
            yield name


def main():
    logging.disable(logging.CRITICAL)
    called = set()
    surface = set(record(called))
    c = MarathonClient(sys.argv[1], timeout=PATIENCE)
    seen, ready = [], threading.Event()
    listener = threading.Thread(target=events, args=(c, seen, ready), daemon=True)
    listener.start()
    assert ready.wait(PATIENCE), "the event stream does not begin"
    for part in server, apps, groups, waiting:
        part(c)
        print(part.__name__, "ok")
    listener.join(PATIENCE)
    kinds = {e.event_type for e in seen}
    assert {"event_stream_attached", "api_post_event", "status_update_event"} <= kinds, kinds
    print("events ok")
    assert called == surface, "never called: %s" % (surface - called)


main()
