"""Everything public: ``path("mail/", include("massmail_plugin.urls"))``."""

from django.urls import URLPattern

app_name = "massmail"
urlpatterns: list[URLPattern] = []
