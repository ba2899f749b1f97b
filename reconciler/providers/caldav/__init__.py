"""Any CalDAV server (RFC 4791): Nextcloud, SOGo, Cyrus, Radicale, iCloud, Fastmail."""
