"""Messages to callers and staff: e-mail by SMTP, SMS by Twilio."""
