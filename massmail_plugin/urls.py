"""Everything public: mount it with ``path("mail/", include("massmail_plugin.urls"))``."""

from __future__ import annotations

from django.urls import URLPattern, path

from massmail_plugin.feedback import views

app_name = "massmail"
urlpatterns: list[URLPattern] = [
    # Short paths: long lines in mails get broken, and each mail has many of them.
    path("o/<str:token>/", views.opt_out, name="opt_out"),
    path("u/<str:token>/", views.one_click, name="one_click"),
    path("c/<str:token>/", views.click, name="click"),
    path("p/<str:token>/", views.open_pixel, name="open"),
    path("v/<str:token>/", views.view_in_browser, name="view"),
    path("preferences/<str:token>/", views.preferences, name="preferences"),
    path("list/<int:list_id>/", views.sign_up, name="sign_up"),
    path("list/<int:list_id>/sent/", views.sign_up_sent, name="sign_up_sent"),
    path("confirm/<str:token>/", views.confirm_sign_up, name="confirm_sign_up"),
    # To be entered at the provider, for example .../webhooks/mailgun/tracking/
    path("webhooks/<slug:provider>/tracking/", views.provider_webhook, name="webhook"),
]
