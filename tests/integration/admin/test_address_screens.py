"""Addresses in the admin: looking, and saying something for their people."""

import pytest
from django.urls import NoReverseMatch, reverse

from massmail_plugin.recipients import consent, erased
from massmail_plugin.recipients.models import ConsentEvent, EmailAddress
from tests.builders import a_contact, a_mailing, an_account, start_now
from tests.integration.admin.conftest import Counting, messages_of, refused

pytestmark = pytest.mark.django_db

BY_LINK = consent.How(ConsentEvent.Method.LINK)
LIST = consent.Scope("list:7", "Old customers")


def _url(name, address=None):
    return reverse(f"massmail_addresses:{name}", args=[address.pk] if address else [])


def _address(key="ada@customers.example"):
    return EmailAddress.objects.create(key=key)


@pytest.mark.parametrize(
    ("standing", "found"),
    [
        ("mailable", {"fine@x.example", "left@x.example"}),
        ("opted_out", {"out@x.example", "angry@x.example"}),
        ("opted_out_list", {"left@x.example"}),
        ("invalid", {"gone@x.example"}),
        ("complained", {"angry@x.example"}),
    ],
)
def test_the_listing_is_filtered_by_standing(editor, standing, found):
    _address("fine@x.example")
    consent.opt_out(_address("out@x.example"), [consent.Scope()], BY_LINK)
    consent.opt_out(_address("left@x.example"), [LIST, consent.Scope("list:8", "Others")], BY_LINK)
    consent.mark_invalid(_address("gone@x.example"), BY_LINK)
    consent.record_complaint(_address("angry@x.example"), BY_LINK)
    page = editor.get(_url("index_results"), {"standing": standing})
    assert {address.key for address in page.context["object_list"]} == found


def test_who_left_a_list_is_not_shown_as_if_nothing_had_been_said(editor):
    address = _address()
    assert "but opted out of a list" not in editor.get(_url("index_results")).content.decode()
    consent.opt_out(address, [LIST], BY_LINK)
    for url in (_url("index_results"), _url("inspect", address)):
        assert "can be mailed, but opted out of a list" in editor.get(url).content.decode()


def test_search_finds_a_part_of_the_address(editor):
    _address("ada@customers.example")
    _address("bob@elsewhere.example")
    page = editor.get(_url("index_results"), {"q": "customers"}).content.decode()
    assert "ada@customers.example" in page
    assert "bob@elsewhere.example" not in page


def test_an_address_shows_what_was_said_and_which_mails_it_got(editor):
    an_account()
    run = start_now(a_mailing(to=[a_contact("ada@customers.example")], name="Spring news"))
    address = EmailAddress.objects.get(key="ada@customers.example")
    consent.opt_out(address, [LIST], BY_LINK)
    page = editor.get(_url("inspect", address)).content.decode()
    for words in ("Spring news", "Old customers", "link in a mail", run.mailing.name):
        assert words in page, words


def test_nobody_adds_edits_or_deletes_an_address():
    for name in ("add", "edit", "delete"):
        with pytest.raises(NoReverseMatch):
            reverse(f"massmail_addresses:{name}", args=[] if name == "add" else [1])


@pytest.mark.parametrize("name", ["opt_out", "mark_valid"])
@pytest.mark.parametrize("reason", ["", "   "])
def test_without_a_reason_nothing_is_recorded(editor, name, reason):
    address = _address()
    response = editor.post(_url(name, address), {"reason": reason})
    assert response.status_code == 200
    assert "reason" in response.context["form"].errors
    assert not ConsentEvent.objects.exists()


def test_an_operator_opts_somebody_out_with_name_and_reason(editor):
    address = _address()
    response = editor.post(_url("opt_out", address), {"reason": "Said so on the phone"}, follow=True)
    assert "Opted out" in messages_of(response)
    event = ConsentEvent.objects.get()
    assert (event.kind, event.method, event.actor, event.reason, event.scope) == (
        "opt_out",
        "operator",
        editor.user,
        "Said so on the phone",
        "",
    )
    address.refresh_from_db()
    assert not address.is_mailable


def test_an_operator_marks_an_address_as_valid_again(editor):
    address = _address()
    consent.mark_invalid(address, BY_LINK)
    assert _url("mark_valid", address) in editor.get(_url("inspect", address)).content.decode()
    editor.post(_url("mark_valid", address), {"reason": "The mailbox was full"})
    address.refresh_from_db()
    assert address.is_mailable


def test_one_opt_out_is_taken_back_and_the_others_stay(editor):
    address = _address()
    consent.opt_out(address, [consent.Scope(), LIST], BY_LINK)
    url = f"{_url('opt_in', address)}?scope=list%3A7"
    assert f"{address.key} gets these mails again: " in editor.get(url).content.decode()
    assert "Old customers" in editor.get(url).content.decode()
    editor.post(url, {"reason": "Asked to come back"})
    address.refresh_from_db()
    assert address.opted_out_since
    assert not address.list_opt_outs.exists()
    event = ConsentEvent.objects.filter(kind="opt_in").get()
    assert (event.scope, event.scope_label) == ("list:7", "Old customers")


@pytest.mark.parametrize("scope", ["", "list:7", "list:999", "%00"])
def test_an_opt_out_that_is_not_there_cannot_be_taken_back(editor, scope):
    address = _address()
    assert editor.post(f"{_url('opt_in', address)}?scope={scope}", {"reason": "x"}).status_code == 404
    assert not ConsentEvent.objects.exists()


def test_who_has_reported_spam_is_not_put_back_by_a_colleague(editor):
    address = _address()
    consent.record_complaint(address, BY_LINK)
    url = f"{_url('opt_in', address)}?scope="
    assert url not in editor.get(_url("inspect", address)).content.decode()
    assert editor.post(url, {"reason": "x"}).status_code == 404
    address.refresh_from_db()
    assert address.opted_out_since


def test_who_may_only_look_sees_no_button(signed_in):
    from tests.integration.admin.conftest import a_reader

    address = _address()
    page = signed_in(a_reader()).get(_url("inspect", address)).content.decode()
    assert _url("opt_out", address) not in page


def test_the_listing_needs_no_more_queries_for_more_addresses(editor):
    _address("one@x.example")
    count = Counting(editor)
    few = count(_url("index"))
    for number in range(20):
        _address(f"more{number}@x.example")
    assert count(_url("index")) == few


def test_an_administrator_erases_somebody_with_a_reason(administrator):
    an_account()
    start_now(a_mailing(to=[a_contact("ada@customers.example", first_name="Ada")]))
    address = EmailAddress.objects.get(key="ada@customers.example")
    page = administrator.get(_url("inspect", address)).content.decode()
    assert _url("erase", address) in page
    assert "cannot be undone" in administrator.get(_url("erase", address)).content.decode()

    response = administrator.post(_url("erase", address), {"reason": "Letter of 3 May"}, follow=True)

    assert "Erased" in messages_of(response)
    page = response.content.decode()
    assert "erased on request" in page
    assert "Letter of 3 May" in page
    assert "Ada" not in page
    assert "erased:" not in page
    event = ConsentEvent.objects.get(kind="erased")
    assert event.actor == administrator.user


def test_nothing_more_can_be_said_for_who_was_erased(administrator):
    address = erased.erase_address("ada@customers.example", BY_LINK)
    page = administrator.get(_url("inspect", address)).content.decode()
    for name in ("opt_out", "mark_valid", "erase"):
        assert _url(name, address) not in page
        assert administrator.post(_url(name, address), {"reason": "x"}).status_code == 404
    url = _url("opt_in", address) + "?scope="
    assert administrator.post(url, {"reason": "x"}).status_code == 404
    assert not EmailAddress.objects.get(pk=address.pk).is_mailable


def test_an_editor_may_not_erase(editor):
    address = _address()
    assert _url("erase", address) not in editor.get(_url("inspect", address)).content.decode()
    assert _url("erase_somebody") not in editor.get(_url("index")).content.decode()
    for url in (_url("erase", address), _url("erase_somebody")):
        data = {"reason": "x", "address": "ada@customers.example"}
        assert refused(editor.post(url, data))
    assert EmailAddress.objects.get().erased_since is None


def test_somebody_who_was_never_mailed_can_be_erased_too(administrator):
    assert _url("erase_somebody") in administrator.get(_url("index")).content.decode()
    wrong = administrator.post(_url("erase_somebody"), {"address": "nobody", "reason": "x"})
    assert "address" in wrong.context["form"].errors
    data = {"address": " Ada@Customers.example ", "reason": "Letter"}
    response = administrator.post(_url("erase_somebody"), data, follow=True)
    assert "Erased" in messages_of(response)
    assert erased.erased_keys(["ada@customers.example"])


def test_the_listing_finds_who_was_erased(administrator):
    erased.erase_address("ada@customers.example", BY_LINK)
    _address("fine@x.example")
    page = administrator.get(_url("index_results"), {"standing": "erased"})
    assert "erased person" in page.content.decode()
    assert len(page.context["object_list"]) == 1


def test_the_history_tells_how_somebody_signed_up(editor):
    address = _address()
    how = consent.How(ConsentEvent.Method.SIGN_UP, proof={"ip": "192.0.2.7", "asked": {"ip": "192.0.2.8"}})
    consent.opt_in(address, [LIST], how)
    page = editor.get(_url("inspect", address)).content.decode()
    for words in ("sign-up, confirmed by mail", "192.0.2.7", "192.0.2.8"):
        assert words in page, words
