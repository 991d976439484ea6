-- Load the transactions file by hand: the checks that kequn makes, its reject list and its table. One statement a paragraph.
-- $file, $table, $rejects are paths; $dictionary, $ref_prefix … the customer dictionary and the salts of the keyed hashes.

CREATE TABLE known AS SELECT ordinal, key FROM read_parquet($dictionary);

CREATE TABLE staged AS
WITH raw AS (
    SELECT row_number() OVER () + 1 AS line, *
    FROM read_csv($file, header = true, all_varchar = true, delim = ',', quote = '"', escape = '"', store_rejects = true,
                  strict_mode = true, nullstr = '', parallel = true)
), parsed AS (
    SELECT line, TXN_SEQ, CUST_NO, TXN_DT, TXN_TS, DC_FLG, AMT, TX_CD, CHNL_CD, EXT_FLG, ACT_FLG, ONL_FLG, FRN_FLG,
        (md5_number($ref_prefix || trim(TXN_SEQ) || $ref_suffix) & 9223372036854775807)::BIGINT AS transaction_no,
        unhex(md5($customer_prefix || trim(CUST_NO) || $customer_suffix)) AS key,
        (md5_number($ref_prefix || trim(ACCT_NO) || $ref_suffix) & 9223372036854775807)::BIGINT AS account_no,
        try_strptime(trim(TXN_DT), '%Y%m%d')::DATE AS booked_on,
        try_cast(trim(TXN_TS) AS TIMESTAMP) AS "at",
        CASE trim(DC_FLG) WHEN 'C' THEN 'in' WHEN 'D' THEN 'out' END AS direction,
        try_cast(trim(AMT) AS DECIMAL(18, 2)) AS money,
        CASE trim(TX_CD) WHEN '1001' THEN 'payroll' WHEN '1002' THEN 'pension' WHEN '1003' THEN 'bonus'
            WHEN '2001' THEN 'transfer' WHEN '2002' THEN 'own_transfer' WHEN '2101' THEN 'cash'
            WHEN '3001' THEN 'consumption' WHEN '3101' THEN 'household' WHEN '3201' THEN 'insurance'
            WHEN '4001' THEN 'loan_payment' WHEN '4002' THEN 'loan_payout' WHEN '5001' THEN 'interest'
            WHEN '5002' THEN 'fee' WHEN '6001' THEN 'merchant_receipt' WHEN '6101' THEN 'broker'
            WHEN '7001' THEN 'purchase' WHEN '7002' THEN 'redemption' WHEN '7003' THEN 'maturity'
            WHEN '9001' THEN 'other' END AS category,
        CASE trim(CHNL_CD) WHEN 'CNT' THEN 'branch' WHEN 'ATM' THEN 'atm' WHEN 'APP' THEN 'app' WHEN 'WEB' THEN 'web'
            WHEN 'POS' THEN 'pos' WHEN 'TPP' THEN 'third_party' WHEN 'SYS' THEN 'system' END AS channel,
        trim(MCC) AS mcc, trim(PROD_CD) AS product_code,
        (md5_number($ref_prefix || trim(OPP_NO) || $ref_suffix) & 9223372036854775807)::BIGINT AS counterparty_no,
        CASE trim(EXT_FLG) WHEN '1' THEN true WHEN '0' THEN false END AS is_external,
        CASE trim(ACT_FLG) WHEN '1' THEN true WHEN '0' THEN false END AS is_initiated,
        CASE trim(ONL_FLG) WHEN '1' THEN true WHEN '0' THEN false END AS is_online,
        CASE trim(FRN_FLG) WHEN '1' THEN true WHEN '0' THEN false END AS is_foreign
    FROM raw
)
SELECT line, transaction_no, ordinal, account_no, booked_on, "at", direction, money, category, channel, mcc, product_code,
    counterparty_no, is_external, is_initiated, is_online, is_foreign, problem,
    CASE split_part(problem, ' ', 2)
        WHEN 'TXN_DT' THEN TXN_DT WHEN 'TXN_TS' THEN TXN_TS WHEN 'DC_FLG' THEN DC_FLG WHEN 'AMT' THEN AMT
        WHEN 'TX_CD' THEN TX_CD WHEN 'CHNL_CD' THEN CHNL_CD WHEN 'EXT_FLG' THEN EXT_FLG WHEN 'ACT_FLG' THEN ACT_FLG
        WHEN 'ONL_FLG' THEN ONL_FLG WHEN 'FRN_FLG' THEN FRN_FLG
        WHEN 'CUST_NO' THEN '(' || length(CUST_NO) || ' characters)' END AS value
FROM (SELECT p.*, k.ordinal,
    CASE
        WHEN TXN_SEQ IS NULL OR trim(TXN_SEQ) = '' THEN 'transaction_no TXN_SEQ MISSING_REQUIRED'
        WHEN CUST_NO IS NULL OR trim(CUST_NO) = '' THEN 'customer_no CUST_NO MISSING_REQUIRED'
        WHEN TXN_DT IS NULL OR trim(TXN_DT) = '' THEN 'booked_on TXN_DT MISSING_REQUIRED'
        WHEN booked_on IS NULL THEN 'booked_on TXN_DT NOT_A_DATE'
        WHEN booked_on < DATE '1900-01-01' OR booked_on > $last_day THEN 'booked_on TXN_DT OUT_OF_RANGE'
        WHEN "at" IS NULL AND trim(TXN_TS) <> '' THEN 'at TXN_TS NOT_A_TIME'
        WHEN "at" < TIMESTAMP '1900-01-01' OR "at" >= TIMESTAMP '2200-01-01' THEN 'at TXN_TS OUT_OF_RANGE'
        WHEN direction IS NULL AND trim(DC_FLG) <> '' THEN 'direction DC_FLG UNKNOWN_CODE'
        WHEN direction IS NULL THEN 'direction DC_FLG MISSING_REQUIRED'
        WHEN AMT IS NULL OR trim(AMT) = '' THEN 'amount AMT MISSING_REQUIRED'
        WHEN money IS NULL OR money <> floor(money) THEN 'amount AMT NOT_MONEY'
        WHEN money < 0 THEN 'amount AMT OUT_OF_RANGE'
        WHEN category IS NULL AND trim(TX_CD) <> '' THEN 'category TX_CD UNKNOWN_CODE'
        WHEN category IS NULL THEN 'category TX_CD MISSING_REQUIRED'
        WHEN channel IS NULL AND trim(CHNL_CD) <> '' THEN 'channel CHNL_CD UNKNOWN_CODE'
        WHEN is_external IS NULL AND trim(EXT_FLG) <> '' THEN 'is_external EXT_FLG UNKNOWN_CODE'
        WHEN is_initiated IS NULL AND trim(ACT_FLG) <> '' THEN 'is_initiated ACT_FLG UNKNOWN_CODE'
        WHEN is_online IS NULL AND trim(ONL_FLG) <> '' THEN 'is_online ONL_FLG UNKNOWN_CODE'
        WHEN is_foreign IS NULL AND trim(FRN_FLG) <> '' THEN 'is_foreign FRN_FLG UNKNOWN_CODE'
        WHEN k.ordinal IS NULL THEN 'customer_no CUST_NO UNKNOWN_CUSTOMER'
    END AS problem
    FROM parsed p LEFT JOIN known k USING (key));

CREATE TABLE twice AS
SELECT line FROM (
    SELECT line, row_number() OVER (PARTITION BY transaction_no ORDER BY line) AS n FROM staged
    WHERE problem IS NULL AND transaction_no IN (
        SELECT transaction_no FROM staged WHERE problem IS NULL GROUP BY transaction_no HAVING count(*) > 1)
) WHERE n > 1;

COPY (
    SELECT 'txn.csv' AS file, line, split_part(problem, ' ', 1) AS "column", split_part(problem, ' ', 2) AS source_column, value,
        split_part(problem, ' ', 3) AS reason
    FROM staged WHERE problem IS NOT NULL
    UNION ALL SELECT 'txn.csv', line, 'transaction_no', 'TXN_SEQ', '', 'DUPLICATE_KEY' FROM twice
    UNION ALL SELECT 'txn.csv', line::BIGINT, '', '', '', 'RAGGED_ROW' FROM reject_errors
    ORDER BY line
) TO $rejects (FORMAT parquet, COMPRESSION zstd);

COPY (
    SELECT transaction_no, ordinal::UINTEGER AS ordinal, account_no, booked_on, "at", direction, money::BIGINT AS amount, category,
        channel, mcc, product_code, counterparty_no, is_external, is_initiated, is_online, is_foreign,
        NULL::BIGINT AS balance_after
    FROM staged WHERE problem IS NULL AND line NOT IN (SELECT line FROM twice) ORDER BY line
) TO $table (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1);

SELECT (SELECT count(*) FROM staged) + (SELECT count(*) FROM reject_errors) AS read,
    (SELECT count(*) FROM read_parquet($table)) AS loaded, (SELECT count(*) FROM read_parquet($rejects)) AS rejected,
    (SELECT sum(money)::BIGINT FROM staged) AS total_read, (SELECT sum(amount)::BIGINT FROM read_parquet($table)) AS total_loaded,
    (SELECT max(booked_on) FROM read_parquet($table)) AS as_of;
