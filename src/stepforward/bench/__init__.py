"""`stepforward bench`: speed and memory beside the peers a user would take instead."""
