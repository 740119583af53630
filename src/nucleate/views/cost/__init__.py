"""What training would cost: a scenario in a terminal and as one page; never loads torch."""
