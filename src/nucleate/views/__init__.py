"""What people look at: the report, the terminal, tables over several runs; never loads torch."""
