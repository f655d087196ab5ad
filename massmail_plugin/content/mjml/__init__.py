"""Reading, checking and repairing MJML that an editor wrote by hand, before it is compiled."""
