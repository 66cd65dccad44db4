"""Plain networks and the registry that alone may build them. No Lightning here."""
