"""The tasks, one file per kind; `table.py` lists them and says which half of them chooses defaults."""
