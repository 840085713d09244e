"""`python -m fastdrop demo`: real digits, and a network that overfits them, with and without each of the family."""
