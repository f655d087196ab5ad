"""Target lists in the Wagtail admin.

Register ``viewset.TargetListViewSet`` (menu item and screens) and ``viewset.TargetListPageViewSet`` (page
explorer) with ``register_admin_viewset``, and import ``hooks``, which registers the rest.
"""
