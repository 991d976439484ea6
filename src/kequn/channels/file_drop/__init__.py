"""Files put into a folder for another system of the bank."""
