"""The settings of each configuration group: one dataclass a group, one field a setting."""
