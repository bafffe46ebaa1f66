"""Pictures, tables and reports: they draw, they compute nothing."""
