"""What a study of savings shows: in a terminal and as one page; never loads torch."""
