"""Runs the migrations on the URL that `mixpeek.db.schema` hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool

from mixpeek.db.addresses import sqlalchemy_url

url: str = context.config.attributes["url"]
engine = create_engine(
    sqlalchemy_url(url).replace("postgresql://", "postgresql+psycopg://", 1), poolclass=pool.NullPool
)
with engine.connect() as connection:
    connection.exec_driver_sql(f"SET lock_timeout = '{context.config.attributes['lock_timeout_s']:.0f}s'")
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
