"""How the weights of one program move, in integers: the plan, how settings become one, and its file."""
