"""Migrations, oldest first. A version works on its own schema and on the next one."""
