-- postgres: executed

-- acct_payroll_1
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(acct_payroll = TRUE, FALSE);

-- acct_payroll_2
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(acct_payroll = FALSE, FALSE);

-- acct_payroll_3
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(acct_payroll <> TRUE, FALSE);

-- acct_payroll_4
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT acct_payroll IS NULL;

-- acct_payroll_5
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE) AND acct_payroll IS NULL;

-- demo_age_1
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_age = 20, FALSE);

-- demo_age_2
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_age <> 20, FALSE);

-- demo_age_3
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_age < 20, FALSE);

-- demo_age_4
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_age <= 20, FALSE);

-- demo_age_5
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_age > 20, FALSE);

-- demo_age_6
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_age >= 20, FALSE);

-- demo_age_7
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_age BETWEEN 19 AND 22, FALSE);

-- demo_age_8
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_age IN (18, 24), FALSE);

-- txn_online_1
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(txn_online = CAST(0.1 AS DOUBLE PRECISION), FALSE);

-- txn_online_2
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(txn_online <> CAST(0.3 AS DOUBLE PRECISION), FALSE);

-- txn_online_3
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(txn_online >= CAST(0.25 AS DOUBLE PRECISION), FALSE);

-- txn_online_4
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(txn_online < CAST(0.3 AS DOUBLE PRECISION), FALSE);

-- txn_online_5
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    txn_online BETWEEN CAST(0.1 AS DOUBLE PRECISION) AND CAST(0.5 AS DOUBLE PRECISION),
    FALSE
  );

-- txn_online_6
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(txn_online IN (CAST(0 AS DOUBLE PRECISION), CAST(1 AS DOUBLE PRECISION)), FALSE);

-- asset_aum_1
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(asset_aum = 0, FALSE);

-- asset_aum_2
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(asset_aum > 5000000, FALSE);

-- asset_aum_3
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(asset_aum <= 99, FALSE);

-- asset_aum_4
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(asset_aum BETWEEN -100 AND 100, FALSE);

-- asset_aum_5
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(asset_aum IN (1, 5000001), FALSE);

-- asset_aum_6
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE) AND asset_aum IS NULL;

-- asset_matures_1
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(asset_matures = CAST('2026-06-30' AS DATE), FALSE);

-- asset_matures_2
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(asset_matures < CAST('2026-06-30' AS DATE), FALSE);

-- asset_matures_3
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-02-28' AS DATE) AND CAST('2026-06-30' AS DATE),
    FALSE
  );

-- asset_matures_4
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT asset_matures IS NULL;

-- demo_city_1
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_city = '上海', FALSE);

-- demo_city_2
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_city = '', FALSE);

-- demo_city_3
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_city <> 'O''Brien', FALSE);

-- demo_city_4
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_city IN ('a\b', 'quo"te'), FALSE);

-- demo_city_5
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_city LIKE '%!%!_%' ESCAPE '!', FALSE);

-- demo_city_6
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_city LIKE '%''%', FALSE);

-- demo_city_7
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_city LIKE '%\%' ESCAPE '!', FALSE);

-- demo_city_8
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_city LIKE '%!!%' ESCAPE '!', FALSE);

-- demo_city_9
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE) AND demo_city IS NULL;

-- demo_child_stage_1
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_child_stage = '0-5', FALSE);

-- demo_child_stage_2
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_child_stage IN ('6-11', '18-25'), FALSE);

-- demo_child_stage_3
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_child_stage LIKE '%1%', FALSE);

-- acct_class_1
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(acct_class && ARRAY['I'], FALSE);

-- acct_class_2
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(acct_class && ARRAY['I', 'III'], FALSE);

-- acct_class_3
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(acct_class && ARRAY['I'], FALSE)
  AND COALESCE(acct_class && ARRAY['II'], FALSE);

-- acct_class_4
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(acct_class && ARRAY['III'], FALSE);

-- acct_class_5
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT acct_class IS NULL;

-- during_00
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-06-30' AS DATE) AND CAST('2026-06-30' AS DATE),
    FALSE
  );

-- during_01
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-06-28' AS DATE) AND CAST('2026-06-30' AS DATE),
    FALSE
  );

-- during_02
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-06-17' AS DATE) AND CAST('2026-06-30' AS DATE),
    FALSE
  );

-- during_03
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-05-31' AS DATE) AND CAST('2026-06-30' AS DATE),
    FALSE
  );

-- during_04
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-06-29' AS DATE) AND CAST('2026-07-05' AS DATE),
    FALSE
  );

-- during_05
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-06-22' AS DATE) AND CAST('2026-06-28' AS DATE),
    FALSE
  );

-- during_06
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE),
    FALSE
  );

-- during_07
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-05-01' AS DATE) AND CAST('2026-05-31' AS DATE),
    FALSE
  );

-- during_08
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-04-01' AS DATE) AND CAST('2026-06-30' AS DATE),
    FALSE
  );

-- during_09
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-01-01' AS DATE) AND CAST('2026-12-31' AS DATE),
    FALSE
  );

-- during_10
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-06-30' AS DATE) AND CAST('2026-06-30' AS DATE),
    FALSE
  );

-- during_11
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-06-29' AS DATE) AND CAST('2026-06-29' AS DATE),
    FALSE
  );

-- during_12
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-06-20' AS DATE) AND CAST('2026-06-28' AS DATE),
    FALSE
  );

-- during_13
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE),
    FALSE
  );

-- during_14
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-07-01' AS DATE) AND CAST('2026-07-02' AS DATE),
    FALSE
  );

-- during_15
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-07-01' AS DATE) AND CAST('2026-07-01' AS DATE),
    FALSE
  );

-- during_16
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-07-06' AS DATE) AND CAST('2026-07-12' AS DATE),
    FALSE
  );

-- during_17
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-07-01' AS DATE) AND CAST('2026-07-31' AS DATE),
    FALSE
  );

-- during_18
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    asset_matures BETWEEN CAST('2026-07-01' AS DATE) AND CAST('2026-07-30' AS DATE),
    FALSE
  );

-- anniversary_0
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    EXTRACT(MONTH FROM asset_matures) * 100 + EXTRACT(DAY FROM asset_matures) BETWEEN 630 AND 630,
    FALSE
  );

-- anniversary_1
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    EXTRACT(MONTH FROM asset_matures) * 100 + EXTRACT(DAY FROM asset_matures) BETWEEN 601 AND 630,
    FALSE
  );

-- anniversary_2
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    EXTRACT(MONTH FROM asset_matures) * 100 + EXTRACT(DAY FROM asset_matures) BETWEEN 701 AND 702,
    FALSE
  );

-- anniversary_3
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    EXTRACT(MONTH FROM asset_matures) * 100 + EXTRACT(DAY FROM asset_matures) BETWEEN 531 AND 630,
    FALSE
  );

-- anniversary_4
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    EXTRACT(MONTH FROM asset_matures) * 100 + EXTRACT(DAY FROM asset_matures) BETWEEN 101 AND 1231,
    FALSE
  );

-- anniversary_5
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    EXTRACT(MONTH FROM asset_matures) * 100 + EXTRACT(DAY FROM asset_matures) BETWEEN 220 AND 301,
    FALSE
  );

-- birthday_0
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_birthday_md IN ('06-30'), FALSE);

-- birthday_1
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    demo_birthday_md IN (
      '06-01',
      '06-02',
      '06-03',
      '06-04',
      '06-05',
      '06-06',
      '06-07',
      '06-08',
      '06-09',
      '06-10',
      '06-11',
      '06-12',
      '06-13',
      '06-14',
      '06-15',
      '06-16',
      '06-17',
      '06-18',
      '06-19',
      '06-20',
      '06-21',
      '06-22',
      '06-23',
      '06-24',
      '06-25',
      '06-26',
      '06-27',
      '06-28',
      '06-29',
      '06-30'
    ),
    FALSE
  );

-- birthday_2
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_birthday_md IN ('07-01', '07-02'), FALSE);

-- birthday_3
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    demo_birthday_md IN (
      '05-31',
      '06-01',
      '06-02',
      '06-03',
      '06-04',
      '06-05',
      '06-06',
      '06-07',
      '06-08',
      '06-09',
      '06-10',
      '06-11',
      '06-12',
      '06-13',
      '06-14',
      '06-15',
      '06-16',
      '06-17',
      '06-18',
      '06-19',
      '06-20',
      '06-21',
      '06-22',
      '06-23',
      '06-24',
      '06-25',
      '06-26',
      '06-27',
      '06-28',
      '06-29',
      '06-30'
    ),
    FALSE
  );

-- birthday_4
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    demo_birthday_md IN (
      '01-01',
      '01-02',
      '01-03',
      '01-04',
      '01-05',
      '01-06',
      '01-07',
      '01-08',
      '01-09',
      '01-10',
      '01-11',
      '01-12',
      '01-13',
      '01-14',
      '01-15',
      '01-16',
      '01-17',
      '01-18',
      '01-19',
      '01-20',
      '01-21',
      '01-22',
      '01-23',
      '01-24',
      '01-25',
      '01-26',
      '01-27',
      '01-28',
      '01-29',
      '01-30',
      '01-31',
      '02-01',
      '02-02',
      '02-03',
      '02-04',
      '02-05',
      '02-06',
      '02-07',
      '02-08',
      '02-09',
      '02-10',
      '02-11',
      '02-12',
      '02-13',
      '02-14',
      '02-15',
      '02-16',
      '02-17',
      '02-18',
      '02-19',
      '02-20',
      '02-21',
      '02-22',
      '02-23',
      '02-24',
      '02-25',
      '02-26',
      '02-27',
      '02-28',
      '02-29',
      '03-01',
      '03-02',
      '03-03',
      '03-04',
      '03-05',
      '03-06',
      '03-07',
      '03-08',
      '03-09',
      '03-10',
      '03-11',
      '03-12',
      '03-13',
      '03-14',
      '03-15',
      '03-16',
      '03-17',
      '03-18',
      '03-19',
      '03-20',
      '03-21',
      '03-22',
      '03-23',
      '03-24',
      '03-25',
      '03-26',
      '03-27',
      '03-28',
      '03-29',
      '03-30',
      '03-31',
      '04-01',
      '04-02',
      '04-03',
      '04-04',
      '04-05',
      '04-06',
      '04-07',
      '04-08',
      '04-09',
      '04-10',
      '04-11',
      '04-12',
      '04-13',
      '04-14',
      '04-15',
      '04-16',
      '04-17',
      '04-18',
      '04-19',
      '04-20',
      '04-21',
      '04-22',
      '04-23',
      '04-24',
      '04-25',
      '04-26',
      '04-27',
      '04-28',
      '04-29',
      '04-30',
      '05-01',
      '05-02',
      '05-03',
      '05-04',
      '05-05',
      '05-06',
      '05-07',
      '05-08',
      '05-09',
      '05-10',
      '05-11',
      '05-12',
      '05-13',
      '05-14',
      '05-15',
      '05-16',
      '05-17',
      '05-18',
      '05-19',
      '05-20',
      '05-21',
      '05-22',
      '05-23',
      '05-24',
      '05-25',
      '05-26',
      '05-27',
      '05-28',
      '05-29',
      '05-30',
      '05-31',
      '06-01',
      '06-02',
      '06-03',
      '06-04',
      '06-05',
      '06-06',
      '06-07',
      '06-08',
      '06-09',
      '06-10',
      '06-11',
      '06-12',
      '06-13',
      '06-14',
      '06-15',
      '06-16',
      '06-17',
      '06-18',
      '06-19',
      '06-20',
      '06-21',
      '06-22',
      '06-23',
      '06-24',
      '06-25',
      '06-26',
      '06-27',
      '06-28',
      '06-29',
      '06-30',
      '07-01',
      '07-02',
      '07-03',
      '07-04',
      '07-05',
      '07-06',
      '07-07',
      '07-08',
      '07-09',
      '07-10',
      '07-11',
      '07-12',
      '07-13',
      '07-14',
      '07-15',
      '07-16',
      '07-17',
      '07-18',
      '07-19',
      '07-20',
      '07-21',
      '07-22',
      '07-23',
      '07-24',
      '07-25',
      '07-26',
      '07-27',
      '07-28',
      '07-29',
      '07-30',
      '07-31',
      '08-01',
      '08-02',
      '08-03',
      '08-04',
      '08-05',
      '08-06',
      '08-07',
      '08-08',
      '08-09',
      '08-10',
      '08-11',
      '08-12',
      '08-13',
      '08-14',
      '08-15',
      '08-16',
      '08-17',
      '08-18',
      '08-19',
      '08-20',
      '08-21',
      '08-22',
      '08-23',
      '08-24',
      '08-25',
      '08-26',
      '08-27',
      '08-28',
      '08-29',
      '08-30',
      '08-31',
      '09-01',
      '09-02',
      '09-03',
      '09-04',
      '09-05',
      '09-06',
      '09-07',
      '09-08',
      '09-09',
      '09-10',
      '09-11',
      '09-12',
      '09-13',
      '09-14',
      '09-15',
      '09-16',
      '09-17',
      '09-18',
      '09-19',
      '09-20',
      '09-21',
      '09-22',
      '09-23',
      '09-24',
      '09-25',
      '09-26',
      '09-27',
      '09-28',
      '09-29',
      '09-30',
      '10-01',
      '10-02',
      '10-03',
      '10-04',
      '10-05',
      '10-06',
      '10-07',
      '10-08',
      '10-09',
      '10-10',
      '10-11',
      '10-12',
      '10-13',
      '10-14',
      '10-15',
      '10-16',
      '10-17',
      '10-18',
      '10-19',
      '10-20',
      '10-21',
      '10-22',
      '10-23',
      '10-24',
      '10-25',
      '10-26',
      '10-27',
      '10-28',
      '10-29',
      '10-30',
      '10-31',
      '11-01',
      '11-02',
      '11-03',
      '11-04',
      '11-05',
      '11-06',
      '11-07',
      '11-08',
      '11-09',
      '11-10',
      '11-11',
      '11-12',
      '11-13',
      '11-14',
      '11-15',
      '11-16',
      '11-17',
      '11-18',
      '11-19',
      '11-20',
      '11-21',
      '11-22',
      '11-23',
      '11-24',
      '11-25',
      '11-26',
      '11-27',
      '11-28',
      '11-29',
      '11-30',
      '12-01',
      '12-02',
      '12-03',
      '12-04',
      '12-05',
      '12-06',
      '12-07',
      '12-08',
      '12-09',
      '12-10',
      '12-11',
      '12-12',
      '12-13',
      '12-14',
      '12-15',
      '12-16',
      '12-17',
      '12-18',
      '12-19',
      '12-20',
      '12-21',
      '12-22',
      '12-23',
      '12-24',
      '12-25',
      '12-26',
      '12-27',
      '12-28',
      '12-29',
      '12-30',
      '12-31'
    ),
    FALSE
  );

-- birthday_5
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(
    demo_birthday_md IN (
      '02-20',
      '02-21',
      '02-22',
      '02-23',
      '02-24',
      '02-25',
      '02-26',
      '02-27',
      '02-28',
      '02-29',
      '03-01'
    ),
    FALSE
  );

-- day_0
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(asset_matures <= CAST('2026-06-30' AS DATE), FALSE);

-- day_1
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(asset_matures <= CAST('2026-06-28' AS DATE), FALSE);

-- day_2
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(asset_matures <= CAST('2026-07-01' AS DATE), FALSE);

-- day_3
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(asset_matures <= CAST('2026-06-01' AS DATE), FALSE);

-- day_4
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(asset_matures <= CAST('2026-06-30' AS DATE), FALSE);

-- did_once
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "event"
    WHERE
      "happened_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
      AND "kind" = 'view'
  );

-- did_today
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "event"
    WHERE
      "happened_on" BETWEEN CAST('2026-06-30' AS DATE) AND CAST('2026-06-30' AS DATE)
      AND "kind" = 'view'
  );

-- did_twice
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "event"
    WHERE
      "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
      AND "kind" = 'view'
    GROUP BY
      customer_id
    HAVING
      COUNT(*) >= 2
  );

-- did_anything
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      "booked_on" BETWEEN CAST('2016-06-23' AS DATE) AND CAST('2026-06-30' AS DATE)
  );

-- did_with_a_sum
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      "booked_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
      AND "direction" = 'in'
    GROUP BY
      customer_id
    HAVING
      SUM("amount") >= 250
  );

-- did_twice_with_a_sum
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      "booked_on" BETWEEN CAST('2026-06-23' AS DATE) AND CAST('2026-06-30' AS DATE)
      AND "direction" = 'out'
    GROUP BY
      customer_id
    HAVING
      COUNT(*) >= 2 AND SUM("amount") >= 100
  );

-- did_not_since
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      did.customer_id
    FROM (
      SELECT
        customer_id,
        MAX("happened_on") AS last_on
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
        AND "kind" = 'view'
      GROUP BY
        customer_id
    ) AS did
    LEFT JOIN (
      SELECT
        customer_id,
        MAX("happened_on") AS last_on
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
        AND "kind" = 'buy'
        AND NOT COALESCE("kind" = 'view', FALSE)
      GROUP BY
        customer_id
    ) AS later
      ON later.customer_id = did.customer_id
    WHERE
      COALESCE(later.last_on, CAST('1000-01-01' AS DATE)) < did.last_on
  );

-- did_not_since_elsewhere
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      did.customer_id
    FROM (
      SELECT
        customer_id,
        MAX("happened_on") AS last_on
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
        AND "kind" = 'view'
      GROUP BY
        customer_id
      HAVING
        COUNT(*) >= 2
    ) AS did
    LEFT JOIN (
      SELECT
        customer_id,
        MAX("booked_on") AS last_on
      FROM "transaction"
      WHERE
        "booked_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
        AND "category" = 'payroll'
      GROUP BY
        customer_id
    ) AS later
      ON later.customer_id = did.customer_id
    WHERE
      COALESCE(later.last_on, CAST('1000-01-01' AS DATE)) < did.last_on
  );

-- did_not_since_itself
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      did.customer_id
    FROM (
      SELECT
        customer_id,
        MAX("happened_on") AS last_on
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
        AND "kind" = 'view'
      GROUP BY
        customer_id
    ) AS did
    LEFT JOIN (
      SELECT
        customer_id,
        MAX("happened_on") AS last_on
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
        AND NOT COALESCE("kind" = 'view', FALSE)
      GROUP BY
        customer_id
    ) AS later
      ON later.customer_id = did.customer_id
    WHERE
      COALESCE(later.last_on, CAST('1000-01-01' AS DATE)) < did.last_on
  );

-- did_last_month
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      "booked_on" BETWEEN CAST('2026-05-01' AS DATE) AND CAST('2026-05-31' AS DATE)
      AND "direction" = 'in'
  );

-- did_this_month
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      "booked_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
      AND "direction" = 'in'
    GROUP BY
      customer_id
    HAVING
      COUNT(*) >= 2
  );

-- did_last_week_not_since
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      did.customer_id
    FROM (
      SELECT
        customer_id,
        MAX("happened_on") AS last_on
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-22' AS DATE) AND CAST('2026-06-28' AS DATE)
        AND "kind" = 'view'
      GROUP BY
        customer_id
    ) AS did
    LEFT JOIN (
      SELECT
        customer_id,
        MAX("happened_on") AS last_on
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-22' AS DATE) AND CAST('2026-06-30' AS DATE)
        AND "kind" = 'buy'
        AND NOT COALESCE("kind" = 'view', FALSE)
      GROUP BY
        customer_id
    ) AS later
      ON later.customer_id = did.customer_id
    WHERE
      COALESCE(later.last_on, CAST('1000-01-01' AS DATE)) < did.last_on
  );

-- did_in_fixed_days
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      "booked_on" BETWEEN CAST('2026-06-20' AS DATE) AND CAST('2026-06-28' AS DATE)
      AND "direction" = 'out'
  );

-- did_at_a_time
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      "booked_on" BETWEEN CAST('2026-06-22' AS DATE) AND CAST('2026-06-30' AS DATE)
      AND "at" > CAST('2026-06-28 09:30:00' AS TIMESTAMP)
  );

-- did_on_a_day_of_times
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      "booked_on" BETWEEN CAST('2026-06-22' AS DATE) AND CAST('2026-06-30' AS DATE)
      AND CAST("at" AS DATE) = CAST('2026-06-29' AS DATE)
  );

-- did_by_no_channel
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "event"
    WHERE
      "happened_on" BETWEEN CAST('2026-06-22' AS DATE) AND CAST('2026-06-30' AS DATE)
      AND "channel" IS NULL
  );

-- then_same_day
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_id,
        on_day,
        is_first,
        is_then,
        is_both,
        MAX(CASE WHEN is_first = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS first_before,
        MAX(CASE WHEN is_other = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS other_on
      FROM (
        SELECT
          customer_id,
          on_day,
          MAX(is_first) AS is_first,
          MAX(is_then) AS is_then,
          MAX(is_both) AS is_both,
          MAX(is_other) AS is_other
        FROM (
          SELECT
            customer_id,
            "happened_on" AS on_day,
            1 AS is_first,
            0 AS is_then,
            0 AS is_both,
            0 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'view'
          UNION ALL
          SELECT
            customer_id,
            "happened_on" AS on_day,
            0 AS is_first,
            CASE WHEN COALESCE("kind" = 'view', FALSE) THEN 0 ELSE 1 END AS is_then,
            CASE WHEN COALESCE("kind" = 'view', FALSE) THEN 1 ELSE 0 END AS is_both,
            0 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'buy'
        ) AS marked
        GROUP BY
          customer_id,
          on_day
      ) AS daily
    ) AS seen
    WHERE
      (
        is_then = 1
        AND on_day - (
          CASE WHEN is_first = 1 THEN on_day ELSE first_before END
        ) <= 0
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < CASE WHEN is_first = 1 THEN on_day ELSE first_before END
      )
      OR (
        is_both = 1
        AND on_day - first_before <= 0
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < first_before
      )
  );

-- then_within_days
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_id,
        on_day,
        is_first,
        is_then,
        is_both,
        MAX(CASE WHEN is_first = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS first_before,
        MAX(CASE WHEN is_other = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS other_on
      FROM (
        SELECT
          customer_id,
          on_day,
          MAX(is_first) AS is_first,
          MAX(is_then) AS is_then,
          MAX(is_both) AS is_both,
          MAX(is_other) AS is_other
        FROM (
          SELECT
            customer_id,
            "happened_on" AS on_day,
            1 AS is_first,
            0 AS is_then,
            0 AS is_both,
            0 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'view'
          UNION ALL
          SELECT
            customer_id,
            "happened_on" AS on_day,
            0 AS is_first,
            CASE WHEN COALESCE("kind" = 'view', FALSE) THEN 0 ELSE 1 END AS is_then,
            CASE WHEN COALESCE("kind" = 'view', FALSE) THEN 1 ELSE 0 END AS is_both,
            0 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'buy'
        ) AS marked
        GROUP BY
          customer_id,
          on_day
      ) AS daily
    ) AS seen
    WHERE
      (
        is_then = 1
        AND on_day - (
          CASE WHEN is_first = 1 THEN on_day ELSE first_before END
        ) <= 3
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < CASE WHEN is_first = 1 THEN on_day ELSE first_before END
      )
      OR (
        is_both = 1
        AND on_day - first_before <= 3
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < first_before
      )
  );

-- then_without
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_id,
        on_day,
        is_first,
        is_then,
        is_both,
        MAX(CASE WHEN is_first = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS first_before,
        MAX(CASE WHEN is_other = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS other_on
      FROM (
        SELECT
          customer_id,
          on_day,
          MAX(is_first) AS is_first,
          MAX(is_then) AS is_then,
          MAX(is_both) AS is_both,
          MAX(is_other) AS is_other
        FROM (
          SELECT
            customer_id,
            "happened_on" AS on_day,
            1 AS is_first,
            0 AS is_then,
            0 AS is_both,
            0 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'view'
          UNION ALL
          SELECT
            customer_id,
            "happened_on" AS on_day,
            0 AS is_first,
            CASE WHEN COALESCE("kind" = 'view', FALSE) THEN 0 ELSE 1 END AS is_then,
            CASE WHEN COALESCE("kind" = 'view', FALSE) THEN 1 ELSE 0 END AS is_both,
            0 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'buy'
          UNION ALL
          SELECT
            customer_id,
            "happened_on" AS on_day,
            0 AS is_first,
            0 AS is_then,
            0 AS is_both,
            1 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'login'
            AND NOT COALESCE("kind" = 'view', FALSE)
            AND NOT COALESCE("kind" = 'buy', FALSE)
        ) AS marked
        GROUP BY
          customer_id,
          on_day
      ) AS daily
    ) AS seen
    WHERE
      (
        is_then = 1
        AND on_day - (
          CASE WHEN is_first = 1 THEN on_day ELSE first_before END
        ) <= 5
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < CASE WHEN is_first = 1 THEN on_day ELSE first_before END
      )
      OR (
        is_both = 1
        AND on_day - first_before <= 5
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < first_before
      )
  );

-- then_elsewhere
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_id,
        on_day,
        is_first,
        is_then,
        is_both,
        MAX(CASE WHEN is_first = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS first_before,
        MAX(CASE WHEN is_other = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS other_on
      FROM (
        SELECT
          customer_id,
          on_day,
          MAX(is_first) AS is_first,
          MAX(is_then) AS is_then,
          MAX(is_both) AS is_both,
          MAX(is_other) AS is_other
        FROM (
          SELECT
            customer_id,
            "booked_on" AS on_day,
            1 AS is_first,
            0 AS is_then,
            0 AS is_both,
            0 AS is_other
          FROM "transaction"
          WHERE
            "booked_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "category" = 'payroll'
          UNION ALL
          SELECT
            customer_id,
            "happened_on" AS on_day,
            0 AS is_first,
            CASE WHEN FALSE THEN 0 ELSE 1 END AS is_then,
            CASE WHEN FALSE THEN 1 ELSE 0 END AS is_both,
            0 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'view'
        ) AS marked
        GROUP BY
          customer_id,
          on_day
      ) AS daily
    ) AS seen
    WHERE
      (
        is_then = 1
        AND on_day - (
          CASE WHEN is_first = 1 THEN on_day ELSE first_before END
        ) <= 2
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < CASE WHEN is_first = 1 THEN on_day ELSE first_before END
      )
      OR (
        is_both = 1
        AND on_day - first_before <= 2
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < first_before
      )
  );

-- then_elsewhere_without
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_id,
        on_day,
        is_first,
        is_then,
        is_both,
        MAX(CASE WHEN is_first = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS first_before,
        MAX(CASE WHEN is_other = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS other_on
      FROM (
        SELECT
          customer_id,
          on_day,
          MAX(is_first) AS is_first,
          MAX(is_then) AS is_then,
          MAX(is_both) AS is_both,
          MAX(is_other) AS is_other
        FROM (
          SELECT
            customer_id,
            "happened_on" AS on_day,
            1 AS is_first,
            0 AS is_then,
            0 AS is_both,
            0 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'view'
          UNION ALL
          SELECT
            customer_id,
            "booked_on" AS on_day,
            0 AS is_first,
            CASE WHEN FALSE THEN 0 ELSE 1 END AS is_then,
            CASE WHEN FALSE THEN 1 ELSE 0 END AS is_both,
            0 AS is_other
          FROM "transaction"
          WHERE
            "booked_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "direction" = 'out'
          UNION ALL
          SELECT
            customer_id,
            "happened_on" AS on_day,
            0 AS is_first,
            0 AS is_then,
            0 AS is_both,
            1 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'buy'
            AND NOT COALESCE("kind" = 'view', FALSE)
        ) AS marked
        GROUP BY
          customer_id,
          on_day
      ) AS daily
    ) AS seen
    WHERE
      (
        is_then = 1
        AND on_day - (
          CASE WHEN is_first = 1 THEN on_day ELSE first_before END
        ) <= 4
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < CASE WHEN is_first = 1 THEN on_day ELSE first_before END
      )
      OR (
        is_both = 1
        AND on_day - first_before <= 4
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < first_before
      )
  );

-- then_again
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_id,
        on_day,
        is_first,
        is_then,
        is_both,
        MAX(CASE WHEN is_first = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS first_before,
        MAX(CASE WHEN is_other = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS other_on
      FROM (
        SELECT
          customer_id,
          on_day,
          MAX(is_first) AS is_first,
          MAX(is_then) AS is_then,
          MAX(is_both) AS is_both,
          MAX(is_other) AS is_other
        FROM (
          SELECT
            customer_id,
            "happened_on" AS on_day,
            1 AS is_first,
            0 AS is_then,
            0 AS is_both,
            0 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-05-02' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'view'
          UNION ALL
          SELECT
            customer_id,
            "happened_on" AS on_day,
            0 AS is_first,
            CASE WHEN COALESCE("kind" = 'view', FALSE) THEN 0 ELSE 1 END AS is_then,
            CASE WHEN COALESCE("kind" = 'view', FALSE) THEN 1 ELSE 0 END AS is_both,
            0 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-05-02' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'view'
        ) AS marked
        GROUP BY
          customer_id,
          on_day
      ) AS daily
    ) AS seen
    WHERE
      (
        is_then = 1
        AND on_day - (
          CASE WHEN is_first = 1 THEN on_day ELSE first_before END
        ) <= 9
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < CASE WHEN is_first = 1 THEN on_day ELSE first_before END
      )
      OR (
        is_both = 1
        AND on_day - first_before <= 9
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < first_before
      )
  );

-- then_overlapping
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_id,
        on_day,
        is_first,
        is_then,
        is_both,
        MAX(CASE WHEN is_first = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS first_before,
        MAX(CASE WHEN is_other = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS other_on
      FROM (
        SELECT
          customer_id,
          on_day,
          MAX(is_first) AS is_first,
          MAX(is_then) AS is_then,
          MAX(is_both) AS is_both,
          MAX(is_other) AS is_other
        FROM (
          SELECT
            customer_id,
            "happened_on" AS on_day,
            1 AS is_first,
            0 AS is_then,
            0 AS is_both,
            0 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
          UNION ALL
          SELECT
            customer_id,
            "happened_on" AS on_day,
            0 AS is_first,
            CASE WHEN COALESCE(TRUE, FALSE) THEN 0 ELSE 1 END AS is_then,
            CASE WHEN COALESCE(TRUE, FALSE) THEN 1 ELSE 0 END AS is_both,
            0 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'buy'
          UNION ALL
          SELECT
            customer_id,
            "happened_on" AS on_day,
            0 AS is_first,
            0 AS is_then,
            0 AS is_both,
            1 AS is_other
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'login'
            AND NOT COALESCE(TRUE, FALSE)
            AND NOT COALESCE("kind" = 'buy', FALSE)
        ) AS marked
        GROUP BY
          customer_id,
          on_day
      ) AS daily
    ) AS seen
    WHERE
      (
        is_then = 1
        AND on_day - (
          CASE WHEN is_first = 1 THEN on_day ELSE first_before END
        ) <= 3
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < CASE WHEN is_first = 1 THEN on_day ELSE first_before END
      )
      OR (
        is_both = 1
        AND on_day - first_before <= 3
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < first_before
      )
  );

-- then_last_month
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_id,
        on_day,
        is_first,
        is_then,
        is_both,
        MAX(CASE WHEN is_first = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS first_before,
        MAX(CASE WHEN is_other = 1 THEN on_day END) OVER (
          PARTITION BY customer_id
          ORDER BY on_day ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS other_on
      FROM (
        SELECT
          customer_id,
          on_day,
          MAX(is_first) AS is_first,
          MAX(is_then) AS is_then,
          MAX(is_both) AS is_both,
          MAX(is_other) AS is_other
        FROM (
          SELECT
            customer_id,
            "booked_on" AS on_day,
            1 AS is_first,
            0 AS is_then,
            0 AS is_both,
            0 AS is_other
          FROM "transaction"
          WHERE
            "booked_on" BETWEEN CAST('2026-05-01' AS DATE) AND CAST('2026-05-31' AS DATE)
            AND "direction" = 'in'
          UNION ALL
          SELECT
            customer_id,
            "booked_on" AS on_day,
            0 AS is_first,
            CASE WHEN COALESCE("direction" = 'in', FALSE) THEN 0 ELSE 1 END AS is_then,
            CASE WHEN COALESCE("direction" = 'in', FALSE) THEN 1 ELSE 0 END AS is_both,
            0 AS is_other
          FROM "transaction"
          WHERE
            "booked_on" BETWEEN CAST('2026-05-01' AS DATE) AND CAST('2026-05-31' AS DATE)
            AND "direction" = 'out'
        ) AS marked
        GROUP BY
          customer_id,
          on_day
      ) AS daily
    ) AS seen
    WHERE
      (
        is_then = 1
        AND on_day - (
          CASE WHEN is_first = 1 THEN on_day ELSE first_before END
        ) <= 10
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < CASE WHEN is_first = 1 THEN on_day ELSE first_before END
      )
      OR (
        is_both = 1
        AND on_day - first_before <= 10
        AND COALESCE(other_on, CAST('1000-01-01' AS DATE)) < first_before
      )
  );

-- trend_ratio
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      (
        "booked_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
        OR "booked_on" BETWEEN CAST('2026-06-17' AS DATE) AND CAST('2026-06-23' AS DATE)
      )
      AND "direction" = 'in'
    GROUP BY
      customer_id
    HAVING
      SUM(
        CASE
          WHEN "booked_on" BETWEEN CAST('2026-06-17' AS DATE) AND CAST('2026-06-23' AS DATE)
          THEN COALESCE("amount", 0)
          ELSE 0
        END
      ) > 0
      AND SUM(
        CASE
          WHEN "booked_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
          THEN COALESCE("amount", 0)
          ELSE 0
        END
      ) * 2 >= SUM(
        CASE
          WHEN "booked_on" BETWEEN CAST('2026-06-17' AS DATE) AND CAST('2026-06-23' AS DATE)
          THEN COALESCE("amount", 0)
          ELSE 0
        END
      ) * 3
  );

-- trend_down
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      (
        "booked_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
        OR "booked_on" BETWEEN CAST('2026-06-17' AS DATE) AND CAST('2026-06-23' AS DATE)
      )
      AND "direction" = 'in'
    GROUP BY
      customer_id
    HAVING
      SUM(
        CASE
          WHEN "booked_on" BETWEEN CAST('2026-06-17' AS DATE) AND CAST('2026-06-23' AS DATE)
          THEN COALESCE("amount", 0)
          ELSE 0
        END
      ) > 0
      AND SUM(
        CASE
          WHEN "booked_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
          THEN COALESCE("amount", 0)
          ELSE 0
        END
      ) * 2 <= SUM(
        CASE
          WHEN "booked_on" BETWEEN CAST('2026-06-17' AS DATE) AND CAST('2026-06-23' AS DATE)
          THEN COALESCE("amount", 0)
          ELSE 0
        END
      )
  );

-- trend_to_nothing
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      (
        "booked_on" BETWEEN CAST('2026-06-28' AS DATE) AND CAST('2026-06-30' AS DATE)
        OR "booked_on" BETWEEN CAST('2026-06-25' AS DATE) AND CAST('2026-06-27' AS DATE)
      )
      AND "direction" = 'out'
    GROUP BY
      customer_id
    HAVING
      SUM(
        CASE
          WHEN "booked_on" BETWEEN CAST('2026-06-25' AS DATE) AND CAST('2026-06-27' AS DATE)
          THEN 1
          ELSE 0
        END
      ) > 0
      AND SUM(
        CASE
          WHEN "booked_on" BETWEEN CAST('2026-06-28' AS DATE) AND CAST('2026-06-30' AS DATE)
          THEN 1
          ELSE 0
        END
      ) <= SUM(
        CASE
          WHEN "booked_on" BETWEEN CAST('2026-06-25' AS DATE) AND CAST('2026-06-27' AS DATE)
          THEN 1
          ELSE 0
        END
      ) * 0
  );

-- trend_difference
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "transaction"
    WHERE
      (
        "booked_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
        OR "booked_on" BETWEEN CAST('2026-05-01' AS DATE) AND CAST('2026-05-31' AS DATE)
      )
      AND "direction" = 'out'
    GROUP BY
      customer_id
    HAVING
      SUM(
        CASE
          WHEN "booked_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
          THEN COALESCE("amount", 0)
          ELSE 0
        END
      ) - SUM(
        CASE
          WHEN "booked_on" BETWEEN CAST('2026-05-01' AS DATE) AND CAST('2026-05-31' AS DATE)
          THEN COALESCE("amount", 0)
          ELSE 0
        END
      ) >= 250
  );

-- trend_fewer
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "event"
    WHERE
      (
        "happened_on" BETWEEN CAST('2026-05-31' AS DATE) AND CAST('2026-06-30' AS DATE)
        OR "happened_on" BETWEEN CAST('2026-05-01' AS DATE) AND CAST('2026-05-30' AS DATE)
      )
    GROUP BY
      customer_id
    HAVING
      SUM(
        CASE
          WHEN "happened_on" BETWEEN CAST('2026-05-31' AS DATE) AND CAST('2026-06-30' AS DATE)
          THEN 1
          ELSE 0
        END
      ) - SUM(
        CASE
          WHEN "happened_on" BETWEEN CAST('2026-05-01' AS DATE) AND CAST('2026-05-30' AS DATE)
          THEN 1
          ELSE 0
        END
      ) < 0
  );

-- trend_year_before
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "event"
    WHERE
      (
        "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
        OR "happened_on" BETWEEN CAST('2025-06-01' AS DATE) AND CAST('2025-06-30' AS DATE)
      )
    GROUP BY
      customer_id
    HAVING
      SUM(
        CASE
          WHEN "happened_on" BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE)
          THEN 1
          ELSE 0
        END
      ) - SUM(
        CASE
          WHEN "happened_on" BETWEEN CAST('2025-06-01' AS DATE) AND CAST('2025-06-30' AS DATE)
          THEN 1
          ELSE 0
        END
      ) > 1
  );

-- trend_other_period
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM "event"
    WHERE
      (
        "happened_on" BETWEEN CAST('2026-06-29' AS DATE) AND CAST('2026-06-30' AS DATE)
        OR "happened_on" BETWEEN CAST('2026-06-17' AS DATE) AND CAST('2026-06-30' AS DATE)
      )
    GROUP BY
      customer_id
    HAVING
      SUM(
        CASE
          WHEN "happened_on" BETWEEN CAST('2026-06-17' AS DATE) AND CAST('2026-06-30' AS DATE)
          THEN 1
          ELSE 0
        END
      ) > 0
      AND SUM(
        CASE
          WHEN "happened_on" BETWEEN CAST('2026-06-29' AS DATE) AND CAST('2026-06-30' AS DATE)
          THEN 1
          ELSE 0
        END
      ) * 4 >= SUM(
        CASE
          WHEN "happened_on" BETWEEN CAST('2026-06-17' AS DATE) AND CAST('2026-06-30' AS DATE)
          THEN 1
          ELSE 0
        END
      )
  );

-- change_of_money
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      today.customer_id
    FROM customer_tags AS today
    INNER JOIN customer_tags AS earlier
      ON earlier.customer_id = today.customer_id
    WHERE
      today.as_of = CAST('2026-06-30' AS DATE)
      AND earlier.as_of = CAST('2026-06-24' AS DATE)
      AND CAST(today.asset_aum AS DECIMAL) - CAST(earlier.asset_aum AS DECIMAL) >= 100
  );

-- change_ratio
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      today.customer_id
    FROM customer_tags AS today
    INNER JOIN customer_tags AS earlier
      ON earlier.customer_id = today.customer_id
    WHERE
      today.as_of = CAST('2026-06-30' AS DATE)
      AND earlier.as_of = CAST('2026-06-24' AS DATE)
      AND CAST(earlier.asset_aum AS DECIMAL) > 0
      AND CAST(today.asset_aum AS DECIMAL) * 4 > CAST(earlier.asset_aum AS DECIMAL) * 5
  );

-- change_of_a_number
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      today.customer_id
    FROM customer_tags AS today
    INNER JOIN customer_tags AS earlier
      ON earlier.customer_id = today.customer_id
    WHERE
      today.as_of = CAST('2026-06-30' AS DATE)
      AND earlier.as_of = CAST('2026-06-24' AS DATE)
      AND today.txn_online - earlier.txn_online <= CAST(-0.1 AS DOUBLE PRECISION)
  );

-- change_of_a_number_ratio
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      today.customer_id
    FROM customer_tags AS today
    INNER JOIN customer_tags AS earlier
      ON earlier.customer_id = today.customer_id
    WHERE
      today.as_of = CAST('2026-06-30' AS DATE)
      AND earlier.as_of = CAST('2026-06-24' AS DATE)
      AND earlier.txn_online > 0
      AND today.txn_online >= CAST(1 AS DOUBLE PRECISION) * earlier.txn_online
  );

-- change_of_a_count
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      today.customer_id
    FROM customer_tags AS today
    INNER JOIN customer_tags AS earlier
      ON earlier.customer_id = today.customer_id
    WHERE
      today.as_of = CAST('2026-06-30' AS DATE)
      AND earlier.as_of = CAST('2026-06-24' AS DATE)
      AND CAST(today.demo_age AS DECIMAL) - CAST(earlier.demo_age AS DECIMAL) < 0
  );

-- rank_top
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_tags.customer_id,
        RANK() OVER (ORDER BY asset_aum DESC) AS place,
        COUNT(*) OVER () AS ranked
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT asset_aum IS NULL
    ) AS placed
    WHERE
      place <= 5
  );

-- rank_bottom
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_tags.customer_id,
        RANK() OVER (ORDER BY asset_aum ASC) AS place,
        COUNT(*) OVER () AS ranked
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT asset_aum IS NULL
    ) AS placed
    WHERE
      place <= 5
  );

-- rank_top_percent
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_tags.customer_id,
        RANK() OVER (ORDER BY demo_age DESC) AS place,
        COUNT(*) OVER () AS ranked
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT demo_age IS NULL
    ) AS placed
    WHERE
      (
        place - 1
      ) * 10000 < ranked * 1000
  );

-- rank_bottom_percent
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_tags.customer_id,
        RANK() OVER (ORDER BY txn_online ASC) AS place,
        COUNT(*) OVER () AS ranked
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT txn_online IS NULL
    ) AS placed
    WHERE
      (
        place - 1
      ) * 10000 < ranked * 3333
  );

-- rank_middle
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_tags.customer_id,
        RANK() OVER (ORDER BY demo_age ASC) AS place,
        COUNT(*) OVER () AS ranked
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT demo_age IS NULL
    ) AS placed
    WHERE
      (
        place - 1
      ) * 10000 >= ranked * 2500
      AND (
        place - 1
      ) * 10000 < ranked * 7500
  );

-- rank_upper_half
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_tags.customer_id,
        RANK() OVER (ORDER BY asset_aum ASC) AS place,
        COUNT(*) OVER () AS ranked
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT asset_aum IS NULL
    ) AS placed
    WHERE
      (
        place - 1
      ) * 10000 >= ranked * 5000
  );

-- rank_of_dates
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_tags.customer_id,
        RANK() OVER (ORDER BY asset_matures DESC) AS place,
        COUNT(*) OVER () AS ranked
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT asset_matures IS NULL
    ) AS placed
    WHERE
      place <= 3
  );

-- rank_among
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_tags.customer_id,
        RANK() OVER (ORDER BY asset_aum DESC) AS place,
        COUNT(*) OVER () AS ranked
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-30' AS DATE)
        AND NOT asset_aum IS NULL
        AND COALESCE(acct_payroll = TRUE, FALSE)
        AND NOT COALESCE(demo_age > 20, FALSE)
    ) AS placed
    WHERE
      place <= 3
  );

-- rank_among_those_who_did
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_tags.customer_id,
        RANK() OVER (ORDER BY demo_age DESC) AS place,
        COUNT(*) OVER () AS ranked
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-30' AS DATE)
        AND NOT demo_age IS NULL
        AND customer_tags.customer_id IN (
          SELECT
            customer_id
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-24' AS DATE) AND CAST('2026-06-30' AS DATE)
            AND "kind" = 'view'
        )
    ) AS placed
    WHERE
      (
        place - 1
      ) * 10000 < ranked * 5000
  );

-- rank_among_ranked
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_tags.customer_id,
        RANK() OVER (ORDER BY demo_age ASC) AS place,
        COUNT(*) OVER () AS ranked
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-30' AS DATE)
        AND NOT demo_age IS NULL
        AND customer_tags.customer_id IN (
          SELECT
            customer_id
          FROM (
            SELECT
              customer_tags.customer_id,
              RANK() OVER (ORDER BY asset_aum DESC) AS place,
              COUNT(*) OVER () AS ranked
            FROM customer_tags
            WHERE
              customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT asset_aum IS NULL
          ) AS placed
          WHERE
            (
              place - 1
            ) * 10000 < ranked * 5000
        )
    ) AS placed
    WHERE
      place <= 4
  );

-- rank_among_listed
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM (
      SELECT
        customer_tags.customer_id,
        RANK() OVER (ORDER BY asset_aum DESC) AS place,
        COUNT(*) OVER () AS ranked
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-30' AS DATE)
        AND NOT asset_aum IS NULL
        AND NOT (
          customer_tags.customer_id IN (
            SELECT
              customer_id
            FROM list_vip
          )
        )
    ) AS placed
    WHERE
      (
        place - 1
      ) * 10000 < ranked * 2500
  );

-- member
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND NOT COALESCE(demo_age > 20, FALSE);

-- member_of_a_wide_one
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND (
    customer_tags.customer_id IN (
      SELECT
        customer_id
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-28' AS DATE) AND CAST('2026-06-30' AS DATE)
    )
    OR COALESCE(
      asset_matures BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE),
      FALSE
    )
    OR customer_tags.customer_id IN (
      SELECT
        customer_id
      FROM (
        SELECT
          customer_tags.customer_id,
          RANK() OVER (ORDER BY asset_aum DESC) AS place,
          COUNT(*) OVER () AS ranked
        FROM customer_tags
        WHERE
          customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT asset_aum IS NULL
      ) AS placed
      WHERE
        place <= 5
    )
  );

-- was_member
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_tags.customer_id
    FROM customer_tags
    WHERE
      customer_tags.as_of = CAST('2026-06-24' AS DATE)
      AND NOT COALESCE(demo_age > 20, FALSE)
  );

-- was_member_of_a_wide_one
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_tags.customer_id
    FROM customer_tags
    WHERE
      customer_tags.as_of = CAST('2026-06-24' AS DATE)
      AND (
        customer_tags.customer_id IN (
          SELECT
            customer_id
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-22' AS DATE) AND CAST('2026-06-24' AS DATE)
        )
        OR COALESCE(
          asset_matures BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE),
          FALSE
        )
        OR customer_tags.customer_id IN (
          SELECT
            customer_id
          FROM (
            SELECT
              customer_tags.customer_id,
              RANK() OVER (ORDER BY asset_aum DESC) AS place,
              COUNT(*) OVER () AS ranked
            FROM customer_tags
            WHERE
              customer_tags.as_of = CAST('2026-06-24' AS DATE) AND NOT asset_aum IS NULL
          ) AS placed
          WHERE
            place <= 5
        )
      )
  );

-- was_not_member
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND NOT COALESCE(demo_age > 20, FALSE)
  AND NOT (
    customer_tags.customer_id IN (
      SELECT
        customer_tags.customer_id
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-24' AS DATE)
        AND NOT COALESCE(demo_age > 20, FALSE)
    )
  );

-- on_list
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM list_vip
  );

-- on_empty_list
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM list_empty
  );

-- not_on_list
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND NOT (
    customer_tags.customer_id IN (
      SELECT
        customer_id
      FROM list_vip
    )
  );

-- tag_then
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_tags.customer_id
    FROM customer_tags
    WHERE
      customer_tags.as_of = CAST('2026-06-24' AS DATE)
      AND COALESCE(acct_payroll = TRUE, FALSE)
  );

-- tag_then_and_now
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_tags.customer_id
    FROM customer_tags
    WHERE
      customer_tags.as_of = CAST('2026-06-24' AS DATE)
      AND COALESCE(demo_child_stage = '0-5', FALSE)
  )
  AND COALESCE(demo_child_stage <> '0-5', FALSE);

-- tag_then_unknown
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND NOT (
    customer_tags.customer_id IN (
      SELECT
        customer_tags.customer_id
      FROM customer_tags
      WHERE
        customer_tags.as_of = CAST('2026-06-24' AS DATE) AND NOT demo_age IS NULL
    )
  );

-- tag_then_due
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_tags.customer_id
    FROM customer_tags
    WHERE
      customer_tags.as_of = CAST('2026-06-24' AS DATE)
      AND COALESCE(
        asset_matures BETWEEN CAST('2026-06-25' AS DATE) AND CAST('2026-06-26' AS DATE),
        FALSE
      )
  );

-- tag_then_all_of
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_tags.customer_id
    FROM customer_tags
    WHERE
      customer_tags.as_of = CAST('2026-06-24' AS DATE)
      AND COALESCE(acct_class && ARRAY['I'], FALSE)
      AND COALESCE(acct_class && ARRAY['II'], FALSE)
  );

-- cluster
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(model_cluster_spring IN ('a'), FALSE);

-- clusters
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(model_cluster_spring IN ('a', 'c'), FALSE);

-- everybody
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE);

-- nobody
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE) AND FALSE;

-- not_everybody
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT TRUE;

-- both
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(acct_payroll = TRUE, FALSE)
  AND COALESCE(demo_age >= 21, FALSE);

-- either
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND (
    COALESCE(acct_payroll = TRUE, FALSE) OR COALESCE(demo_age >= 21, FALSE)
  );

-- neither
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND NOT (
    COALESCE(acct_payroll = TRUE, FALSE) OR COALESCE(demo_age >= 21, FALSE)
  );

-- not_not
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(demo_age >= 21, FALSE);

-- mixed
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND COALESCE(acct_payroll = TRUE, FALSE)
  AND (
    COALESCE(demo_age >= 21, FALSE) OR NOT COALESCE(asset_aum >= 5000000, FALSE)
  )
  AND NOT (
    customer_tags.customer_id IN (
      SELECT
        customer_id
      FROM list_vip
    )
    AND NOT COALESCE(demo_age > 20, FALSE)
  );

-- union
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND (
    NOT COALESCE(demo_age > 20, FALSE)
    OR customer_tags.customer_id IN (
      SELECT
        customer_id
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-28' AS DATE) AND CAST('2026-06-30' AS DATE)
    )
    OR COALESCE(
      asset_matures BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE),
      FALSE
    )
    OR customer_tags.customer_id IN (
      SELECT
        customer_id
      FROM (
        SELECT
          customer_tags.customer_id,
          RANK() OVER (ORDER BY asset_aum DESC) AS place,
          COUNT(*) OVER () AS ranked
        FROM customer_tags
        WHERE
          customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT asset_aum IS NULL
      ) AS placed
      WHERE
        place <= 5
    )
    OR customer_tags.customer_id IN (
      SELECT
        customer_id
      FROM list_vip
    )
  );

-- intersect
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND NOT COALESCE(demo_age > 20, FALSE)
  AND customer_tags.customer_id IN (
    SELECT
      customer_id
    FROM list_vip
  );

-- except
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND (
    customer_tags.customer_id IN (
      SELECT
        customer_id
      FROM "event"
      WHERE
        "happened_on" BETWEEN CAST('2026-06-28' AS DATE) AND CAST('2026-06-30' AS DATE)
    )
    OR COALESCE(
      asset_matures BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE),
      FALSE
    )
    OR customer_tags.customer_id IN (
      SELECT
        customer_id
      FROM (
        SELECT
          customer_tags.customer_id,
          RANK() OVER (ORDER BY asset_aum DESC) AS place,
          COUNT(*) OVER () AS ranked
        FROM customer_tags
        WHERE
          customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT asset_aum IS NULL
      ) AS placed
      WHERE
        place <= 5
    )
  )
  AND NOT (
    NOT COALESCE(demo_age > 20, FALSE)
  )
  AND NOT (
    customer_tags.customer_id IN (
      SELECT
        customer_id
      FROM list_vip
    )
  );

-- sets_in_sets
SELECT
  customer_tags.customer_id
FROM customer_tags
WHERE
  customer_tags.as_of = CAST('2026-06-30' AS DATE)
  AND (
    (
      NOT COALESCE(demo_age > 20, FALSE)
      AND NOT (
        customer_tags.customer_id IN (
          SELECT
            customer_id
          FROM list_vip
        )
      )
    )
    OR (
      (
        customer_tags.customer_id IN (
          SELECT
            customer_id
          FROM "event"
          WHERE
            "happened_on" BETWEEN CAST('2026-06-28' AS DATE) AND CAST('2026-06-30' AS DATE)
        )
        OR COALESCE(
          asset_matures BETWEEN CAST('2026-06-01' AS DATE) AND CAST('2026-06-30' AS DATE),
          FALSE
        )
        OR customer_tags.customer_id IN (
          SELECT
            customer_id
          FROM (
            SELECT
              customer_tags.customer_id,
              RANK() OVER (ORDER BY asset_aum DESC) AS place,
              COUNT(*) OVER () AS ranked
            FROM customer_tags
            WHERE
              customer_tags.as_of = CAST('2026-06-30' AS DATE) AND NOT asset_aum IS NULL
          ) AS placed
          WHERE
            place <= 5
        )
      )
      AND COALESCE(demo_age >= 21, FALSE)
    )
  );
