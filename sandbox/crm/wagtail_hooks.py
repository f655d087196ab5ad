from wagtail import hooks
from wagtail.admin.viewsets.base import ViewSet

from sandbox.crm.choosers import account_chooser, contact_chooser
from sandbox.crm.viewsets import CrmGroup


@hooks.register("register_admin_viewset")
def register_crm() -> list[ViewSet]:
    return [CrmGroup(), account_chooser, contact_chooser]
