"""Segments: saved criteria over a recipient type, resolved each time that somebody asks who is in them."""
