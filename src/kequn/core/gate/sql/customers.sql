-- one row a wanted customer that the bank has
SELECT
    c.ordinal,
    COALESCE(list_position($statuses, c.status) - 1, -1)::TINYINT AS status,
    c.birth_on AS born,
    COALESCE(c.is_deceased::TINYINT, -1) AS deceased,
    COALESCE(c.is_suppressed::TINYINT, -1) AS suppressed,
    COALESCE(c.is_staff::TINYINT, -1) AS staff,
    COALESCE(c.is_vulnerable::TINYINT, -1) AS vulnerable,
    COALESCE(c.personalisation_off::TINYINT, -1) AS personalisation_off,
    COALESCE(c.risk_level, -1)::TINYINT AS risk_level,
    c.risk_expires_on AS risk_expires,
    (c.rm_no IS NOT NULL)::TINYINT AS has_rm
FROM gate_wanted w JOIN customer c USING (ordinal)
ORDER BY c.ordinal
