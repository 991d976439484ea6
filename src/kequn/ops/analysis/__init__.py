"""The analyst's desk: a segment's note and the bank's KPIs, within an actor's scope."""
