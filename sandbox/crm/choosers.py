"""Pick a record in a dialog with a search, instead of a drop-down of thousands."""

from django import forms
from django.db.models import Q, QuerySet
from wagtail.admin.forms.choosers import BaseFilterForm
from wagtail.admin.views.generic.chooser import ChooseResultsView, ChooseView
from wagtail.admin.viewsets.chooser import ChooserViewSet

from sandbox.crm.models import Account, Contact


class SearchForm(BaseFilterForm):
    """Looks for the words in the database: the CRM keeps no search index."""

    q = forms.CharField(
        label="Search term", required=False, widget=forms.TextInput(attrs={"placeholder": "Search"})
    )
    search_fields: tuple[str, ...] = ()

    def filter(self, objects: QuerySet) -> QuerySet:
        self.search_query = self.cleaned_data["q"]
        self.is_searching = bool(self.search_query)
        for word in self.search_query.split():
            matches = [Q(**{f"{field}__icontains": word}) for field in self.search_fields]
            objects = objects.filter(Q(*matches, _connector=Q.OR))
        return objects


class AccountSearchForm(SearchForm):
    search_fields = ("name", "email")


class ContactSearchForm(SearchForm):
    search_fields = ("first_name", "last_name", "email")


def _searched(view: type, form: type[SearchForm]) -> type:
    return type(view.__name__, (view,), {"filter_form_class": form})


class AccountChooserViewSet(ChooserViewSet):
    model = Account
    icon = "globe"
    choose_one_text = "Choose an account"
    choose_another_text = "Choose another account"
    choose_view_class = _searched(ChooseView, AccountSearchForm)
    choose_results_view_class = _searched(ChooseResultsView, AccountSearchForm)


class ContactChooserViewSet(ChooserViewSet):
    model = Contact
    icon = "user"
    choose_one_text = "Choose a contact"
    choose_another_text = "Choose another contact"
    choose_view_class = _searched(ChooseView, ContactSearchForm)
    choose_results_view_class = _searched(ChooseResultsView, ContactSearchForm)


account_chooser = AccountChooserViewSet("account_chooser")
contact_chooser = ContactChooserViewSet("contact_chooser")
