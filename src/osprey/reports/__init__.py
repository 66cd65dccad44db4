"""What every task's report is built of: page, charts, shared sections. Files only, no torch."""
