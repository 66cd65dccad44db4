"""From a run folder that says what to do to a run folder that says how well it went."""
