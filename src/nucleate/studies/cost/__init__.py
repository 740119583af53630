"""What training costs somewhere else: a scenario with every input on the table; never a result."""
