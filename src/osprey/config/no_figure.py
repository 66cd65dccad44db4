"""Settings that change no figure, by how their keys begin: each list holds the one before.

`osprey.runs.again` repeats a command without the first; the leaderboard and ``osprey compare`` do
not show the second as differences; a sweep goes on whatever is changed of the third.
"""

from __future__ import annotations

# Of the place and the moment of one command.
NOT_AGAIN = ("paths.", "extras", "resume", "sweep")
# And how a run is called, what it says to whom, what is made of it, and at what price.
NO_CHOICE = (*NOT_AGAIN, "name", "logger", "export", "callbacks.progress", "cost.")
# And words to find a run by, the packages it may name, and how this machine does the same work.
NO_MATTER = (
    *(*NO_CHOICE, "tags", "plugins"),
    *("data.num_workers", "data.cache", "data.eval_batch_size", "trainer.devices"),
)
