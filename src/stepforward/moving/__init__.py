"""What may move: the words of `--train`, one kind in each file; `select.py` lists them."""
