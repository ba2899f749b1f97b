"""Where calendars live: one package a vendor, and what vendors share."""
