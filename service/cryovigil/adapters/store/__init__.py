"""The store: one schema, one set of statements, a session for each dialect.

Statements are written once, as PostgreSQL reads them. What SQLite says otherwise is rewritten by
its session (`$1`, casts, `= ANY(list)`, row locks, which its single writer makes needless). The
three whose plan decides the cost of an event are written for each dialect: see `session.Session`.
"""
