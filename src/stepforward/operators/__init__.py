"""The operators (contract, section 4): one file each, with all that is true of it. `table.py` lists them."""
