"""Mail for people without a connected calendar, and what everybody is told: how it is made and sent."""
