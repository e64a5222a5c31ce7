"""``partialbatch check``: find what loses or repeats work in a deployment.

A reader per kind of input (`aws`, `cloudformation`, `terraform`) describes the deployment in the terms of `model`.
The rules (`rules`, `queue_rules`, `stream_rules`, `permission_rule`) look at nothing else.
"""
