"""Statistics matching: sites, what their accumulators are on clean data, and the matched program."""
