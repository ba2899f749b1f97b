"""The pages on which people connect their calendars, and account owners switch vendors on."""
