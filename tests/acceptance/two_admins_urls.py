"""The sandbox's addresses, and Django's admin beside Wagtail's."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("django-admin/", admin.site.urls), path("", include("sandbox.urls"))]
