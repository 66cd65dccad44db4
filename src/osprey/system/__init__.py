"""What the machine offers: files written atomically, locks, memory, the console."""
