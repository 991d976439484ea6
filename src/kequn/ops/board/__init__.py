"""The branch's work seen as a whole: targets, figures per day, signals, coaching, and work handed over."""
