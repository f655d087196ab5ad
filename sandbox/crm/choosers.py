"""Pick a record in a dialog with a search, instead of a drop-down of thousands."""

from wagtail.admin.viewsets.chooser import ChooserViewSet

from sandbox.crm.models import Account, Contact


class AccountChooserViewSet(ChooserViewSet):
    model = Account
    icon = "globe"
    choose_one_text = "Choose an account"
    choose_another_text = "Choose another account"


class ContactChooserViewSet(ChooserViewSet):
    model = Contact
    icon = "user"
    choose_one_text = "Choose a contact"
    choose_another_text = "Choose another contact"


account_chooser = AccountChooserViewSet("account_chooser")
contact_chooser = ContactChooserViewSet("contact_chooser")
