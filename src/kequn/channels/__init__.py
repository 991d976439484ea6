"""Ways to hand a message to the outside; knows no framework."""
