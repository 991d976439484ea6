"""The branch's work: board, tasks, signals, targets, coaching, report."""
