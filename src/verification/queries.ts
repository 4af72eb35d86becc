import { statement } from '../database/statement.ts'

/** Whether Bulkhead's tables are there at all. */
export const findSchema = statement(
  'verify-find-schema',
  {},
  { present: 'bool' },
  `select to_regclass('bulk') is not null and to_regclass('chunk') is not null as present`
)

/**
 * Makes this transaction fit for statements that read everything: no time limit (the pool's 30 s are for work on one
 * bulk), memory for joins of a million rows, and no compilation, which took longer than it saved.
 */
export const prepareLongReads = statement(
  'verify-prepare',
  {},
  { statement_timeout: 'text', work_mem: 'text', jit: 'text' },
  `select set_config('statement_timeout', '0', true) as statement_timeout,
          set_config('work_mem', '128MB', true) as work_mem,
          set_config('jit', 'off', true) as jit`
)

export const countRows = statement(
  'verify-count',
  {},
  { organizations: 'int8', accounts: 'int8', bulks: 'int8', transfers: 'int8', postings: 'int8' },
  `select (select count(*) from organization) as organizations, (select count(*) from account) as accounts,
          (select count(*) from bulk) as bulks, (select count(*) from transfer) as transfers,
          (select count(*) from posting) as postings`
)

/**
 * The next bulks in key order, each with its transfers ("seq amount_minor iban") and outcomes ("seq status"), a line
 * each. One row a bulk, because a million rows of their own cost the driver several times as much; two aggregates and
 * no join, because the planner expects one row of each there and would loop n x n.
 */
export const selectBulkPage = statement(
  'verify-bulk-page',
  { organization_id: 'int4', bulk_no: 'int8', page_size: 'int4' },
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    bulk_reference: 'text',
    currency: 'text',
    transfers: 'text?',
    outcomes: 'text?'
  },
  `select b.organization_id, b.bulk_no, b.bulk_reference, b.currency,
          (select string_agg(t.seq || ' ' || t.amount_minor || ' ' || t.counterparty_iban, chr(10))
           from transfer t where (t.organization_id, t.bulk_no) = (b.organization_id, b.bulk_no)) as transfers,
          (select string_agg(o.seq || ' ' || o.status, chr(10))
           from outcome o where (o.organization_id, o.bulk_no) = (b.organization_id, b.bulk_no)) as outcomes
   from bulk b
   where (b.organization_id, b.bulk_no) > (:organization_id, :bulk_no)
   order by b.organization_id, b.bulk_no
   limit :page_size`
)

/** Which of these references are bulks by now. */
export const findBulksByReference = statement(
  'verify-find-bulks',
  { bulk_references: 'text[]' },
  { bulk_reference: 'text', transfer_count: 'int4' },
  `select bulk_reference, transfer_count from bulk where bulk_reference = any (:bulk_references)`
)
