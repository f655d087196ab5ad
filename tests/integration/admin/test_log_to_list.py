"""Everybody whom a campaign's log shows goes into a list, each once."""

from __future__ import annotations

import pytest
from django.urls import reverse

from massmail_plugin.mailings.models import Campaign
from sandbox.crm.models import Lead
from tests.builders import a_campaign, a_mailing, a_target_list, an_account, contacts, start_now

pytestmark = pytest.mark.django_db


def test_the_people_of_a_log_come_into_a_list_once_however_many_mails_they_got(client, django_user_model):
    an_account()
    people = [*contacts(3), Lead.objects.create(last_name="Lea", email="lea@example.org")]
    campaign: Campaign = a_campaign(a_target_list(*people))
    for _number in range(2):
        start_now(a_mailing(campaign=campaign))
    into = a_target_list(people[0], title="Readers")
    client.force_login(django_user_model.objects.create_superuser("chief"))
    url = reverse("massmail_campaigns:log_to_list", args=[campaign.pk]) + "?id=all"
    shown = client.get(url)
    assert shown.context["number"] == 4

    response = client.post(url, {"number": 4, "target_list": into.pk}, follow=True)

    (told,) = response.context["messages"]
    assert "3 added to “Readers”, 1 was already in the list." in str(told)
    assert sorted(into.members.values_list("recipient_type", "object_id")) == sorted(
        (person._meta.label_lower, str(person.pk)) for person in people
    )
