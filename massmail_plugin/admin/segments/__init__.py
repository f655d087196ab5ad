"""Segments in the Wagtail admin: ``viewset.SegmentViewSet`` has the menu item and all screens."""
