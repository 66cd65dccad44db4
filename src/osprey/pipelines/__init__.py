"""Predictors of several tasks working together, and on videos."""
