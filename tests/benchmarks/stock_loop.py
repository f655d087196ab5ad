"""What everybody would write first: Django's templates, EmailMultiAlternatives, one open connection, no database.

``python -m tests.benchmarks.stock_loop PORT MAILS``
"""

from __future__ import annotations

import sys
import time

import django

from tests.benchmarks import mail
from tests.benchmarks.processes import get_ready, tell


def main(port: int, number: int) -> None:
    django.setup()
    from django.core.mail import EmailMultiAlternatives, get_connection
    from django.template import engines

    engine = engines["django"]
    places = {
        "first_name": "{{ first_name }}",
        "last_name": "{{ last_name }}",
        "view_url": "https://crm.example.com/view/{{ token }}/",
        "unsubscribe_url": "https://crm.example.com/opt-out/{{ token }}/",
    }
    subject = engine.from_string(mail.SUBJECT % places)
    html = engine.from_string(mail.html(places, mail.destinations()))
    text = engine.from_string(mail.text(places, mail.destinations()))
    people = [
        {"first_name": f"First{n}", "last_name": f"Last{n}", "token": f"token{n}"} for n in range(number)
    ]
    connection = get_connection("django.core.mail.backends.smtp.EmailBackend", host="127.0.0.1", port=port)
    connection.open()
    get_ready()
    began, cpu = time.monotonic(), time.process_time()
    for n, person in enumerate(people):
        message = EmailMultiAlternatives(
            subject=subject.render(person),
            body=text.render(person),
            from_email="Sales team <sales@sandbox.example>",
            to=[f"{person['first_name']} {person['last_name']} <person{n}@customers.example>"],
        )
        message.attach_alternative(html.render(person), "text/html")
        connection.send_messages([message])
    tell(began=began, ended=time.monotonic(), cpu=time.process_time() - cpu, mails=number)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
