"""The sandbox's settings for one of several clusters: each introduces itself to mail servers by a name of its own."""

import os

from sandbox.settings import *  # noqa: F403
from sandbox.settings import DATABASES, MASSMAIL, Q_CLUSTER

# Test runs beside each other on one Redis must not meet.
Q_CLUSTER["name"] = f"massmail-{DATABASES['default']['NAME']}"
# One turn at a time, so that it can be told which cluster has which mails.
Q_CLUSTER |= {"workers": 1, "retry": 3600, "recycle": int(os.environ["MASSMAIL_TEST_RECYCLE"])}

MASSMAIL |= {
    "EHLO_NAME": os.environ["MASSMAIL_TEST_EHLO_NAME"],
    "CLAIM_SIZE": int(os.environ["MASSMAIL_TEST_CLAIM_SIZE"]),
}
