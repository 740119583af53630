"""What a table of curves shows: in a terminal, as JSON, as one page; never loads torch."""
