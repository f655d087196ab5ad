from django.urls import path

from sandbox.inbox import views

app_name = "inbox"
urlpatterns = [
    path("", views.index, name="index"),
    path("<int:number>/", views.show, {"tab": "html"}, name="html"),
    path("<int:number>/text/", views.show, {"tab": "text"}, name="text"),
    path("<int:number>/headers/", views.show, {"tab": "headers"}, name="headers"),
    path("<int:number>/source/", views.show, {"tab": "source"}, name="source"),
    path("<int:number>/body/", views.body, name="body"),
    path("<int:number>/download/", views.download, name="download"),
]
