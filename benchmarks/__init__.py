"""What the service costs: one command that starts `cryovigil serve` and measures it.

`python -m benchmarks` (`make bench`) fills an embedded broker with a made-up hospital, lets a
service with shipped defaults consume it on SQLite and on PostgreSQL, and holds what it stored
against what the hospital was made to contain. Linux only: costs are read from /proc.
"""
