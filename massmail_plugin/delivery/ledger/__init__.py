"""Every statement on deliveries while mails are being sent."""
