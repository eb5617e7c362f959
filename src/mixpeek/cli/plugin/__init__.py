"""`mixpeek plugin`: from a new folder to a published, deployed extractor, and back to an earlier one."""

from __future__ import annotations

import typer

from mixpeek.cli.plugin.deploy import deploy
from mixpeek.cli.plugin.history import diff, log, rollback, status
from mixpeek.cli.plugin.init import init
from mixpeek.cli.plugin.lint import lint
from mixpeek.cli.plugin.listing import list_plugins
from mixpeek.cli.plugin.logs import logs
from mixpeek.cli.plugin.publish import publish, push
from mixpeek.cli.plugin.pull import pull
from mixpeek.cli.plugin.test import test
from mixpeek.cli.plugin.traffic import deployment, promote, undeploy

app = typer.Typer(help="Create, test, publish, deploy and compare plugins.", no_args_is_help=True)
app.command("init")(init)
app.command("lint")(lint)
app.command("test")(test)
app.command("publish")(publish)
app.command("list")(list_plugins)
app.command("push")(push)
app.command("pull")(pull)
app.command("status")(status)
app.command("log")(log)
app.command("logs")(logs)
app.command("diff")(diff)
app.command("rollback")(rollback)
app.command("deploy")(deploy)
app.command("deployment")(deployment)
app.command("promote")(promote)
app.command("undeploy")(undeploy)
