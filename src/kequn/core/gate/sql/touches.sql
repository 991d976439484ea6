-- one row a marketing contact of a wanted customer; a contact of unknown purpose counts as marketing
SELECT ordinal, COALESCE(list_position($channels, channel) - 1, -1)::TINYINT AS channel, contacted_on AS day
FROM contact SEMI JOIN gate_wanted USING (ordinal)
WHERE contacted_on > $as_of - $days::INTEGER AND COALESCE(purpose, 'marketing') = 'marketing'
