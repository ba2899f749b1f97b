"""Microsoft 365 and Outlook.com calendars, through Microsoft Graph v1.0."""
