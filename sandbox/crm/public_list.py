"""A list that anybody can sign up for: its page is linked from the sandbox's front page."""

from django.contrib.auth import get_user_model

from massmail_plugin.audience.members import get_index_page
from massmail_plugin.audience.models import TargetListPage

PUBLIC_LIST = "Bicycle tips"


def load_public_list() -> TargetListPage:
    """Return the public list; make it if it is not there yet, and change nothing else."""
    folder = get_index_page()
    known = TargetListPage.objects.child_of(folder).filter(title=PUBLIC_LIST).first()
    if known is not None:
        return known
    page: TargetListPage = folder.add_child(
        instance=TargetListPage(
            title=PUBLIC_LIST,
            owner=get_user_model().objects.get(username="editor"),
            description="People who have signed up on our website.",
            is_public=True,
            sign_up_intro="<p>Once a month: how to <b>mend, oil and pack</b> your bicycle, on one page.</p>",
            sign_up_thanks="<p>Welcome! The next tip comes on the <b>first Monday</b> of the month.</p>",
            goodbye="<p>Thank you for riding with us.</p>",
        )
    )
    return page
