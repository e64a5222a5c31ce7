"""``partialbatch check``: find settings of a deployment that lose or repeat work.

A reader per kind of input (`aws`, `cloudformation`, `terraform`) describes the deployment in the terms of `model`.
The rules (`rules`, `queue_rules`, `stream_rules`, `permission_rule`) look at nothing else.
"""
