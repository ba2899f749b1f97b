"""Google Calendar, through Google's own Python client."""
