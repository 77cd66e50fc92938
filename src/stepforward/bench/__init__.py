"""`stepforward bench`: speed and memory next to the peers a user would take instead."""
