"""How much may leave through an account, and when: arithmetic only, without models, clocks or sleeping.

Only ``of_account`` knows models: it makes a ``Ration`` of an account's fields.

``ration.decide(ration, now, used, wanted)`` is the one question that the engine asks. What counts as used is a *mark*:
the moment at which a mail counts (``Delivery.paced_at``), which lies in the future while it is in flight.
"""
