"""An example of a package that extends Osprey."""

TASKS = {"light": "reefkit.task:LightTask"}
