"""The mail in the browser: the recipient's own, as it was sent, and without any power over our site."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from massmail_plugin import preferences, tokens
from massmail_plugin.audience.models import TargetListPage
from massmail_plugin.models import EmailTemplate, SenderAccount
from massmail_plugin.tokens import Purpose
from sandbox.crm.models import Contact
from tests.integration.feedback.conftest import ADDRESS, Sent, send_to


def test_it_is_the_recipients_own_mail_as_frozen(client: Client, sent: Sent) -> None:
    EmailTemplate.objects.update(subject="Other", body=[])
    html = client.get(sent.view_url()).content.decode()
    assert "Dear Ada," in html
    assert sent.click_url(0) in html, "Its links are the same as in the mail."
    assert sent.opt_out_url() in html


def test_it_has_no_power_over_the_site(client: Client, sent: Sent) -> None:
    response = client.get(sent.view_url())
    policy = response["Content-Security-Policy"]
    assert policy.startswith("sandbox ")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["X-Frame-Options"] == "DENY"
    assert "noindex" in response["X-Robots-Tag"]
    assert "no-store" in response["Cache-Control"]


def test_looking_at_it_is_not_counted(client: Client, lists: tuple[TargetListPage, ...]) -> None:
    chosen = preferences.load()
    chosen.track_opens = True
    chosen.save()
    sent = send_to(lists)
    html = client.get(sent.view_url()).content.decode()
    assert "{{ open_url }}" in sent.run.content, "The mail itself has the pixel."
    assert "/mail/p/" not in html
    assert sent.kinds() == []


def test_hostile_names_are_text(client: Client, sent: Sent) -> None:
    Contact.objects.filter(email=ADDRESS).update(first_name='<img src=x onerror=alert(1)>"')
    html = client.get(sent.view_url()).content.decode()
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "<img src=x" not in html


def test_it_can_be_seen_after_its_account_is_gone(client: Client, sent: Sent) -> None:
    SenderAccount.objects.all().delete()
    assert "Dear Ada," in client.get(sent.view_url()).content.decode()


def test_what_cannot_be_made_again_says_so(client: Client, sent: Sent) -> None:
    Contact.objects.filter(email=ADDRESS).delete()
    response = client.get(sent.view_url())
    assert response.status_code == 410
    assert "can no longer be shown" in response.content.decode()


def test_a_record_that_passed_to_another_address_is_not_shown_to_the_old_one(
    client: Client, sent: Sent
) -> None:
    Contact.objects.filter(email=ADDRESS).update(email="carla@customers.example", first_name="Carla")
    response = client.get(sent.view_url())
    assert response.status_code == 410
    assert "Carla" not in response.content.decode()


def test_links_that_lead_to_no_mail(client: Client, sent: Sent) -> None:
    for token, status in (
        (tokens.make(Purpose.VIEW, 0), 200),
        (tokens.make(Purpose.VIEW, 2**62), 410),
        (tokens.make(Purpose.OPEN, sent.delivery.pk), 404),
        ("x", 404),
    ):
        response = client.get(reverse("massmail:view", args=[token]))
        assert response.status_code == status
        assert "Dear" not in response.content.decode()
