"""Two finished runs side by side: what differs, and the page that shows it."""
