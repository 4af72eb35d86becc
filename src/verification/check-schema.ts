import { readFunctionBodies } from '../database/migrate.ts'
import { statement } from '../database/statement.ts'
import { finalBulkStatus } from '../domain/status.ts'
import type { Check, Violation } from './violation.ts'

/** Keys that make something happen once: a request, a reference, an end of a transfer, a line of an account. */
const uniqueKeys = [
  'account (organization_id, account_id)',
  'account (organization_id, iban)',
  'posting (organization_id, account_id, line_no)',
  'bulk (organization_id, bulk_no)',
  'bulk (organization_id, request_id)',
  'bulk (organization_id, bulk_reference)',
  'transfer (organization_id, bulk_no, seq)',
  'outcome (organization_id, bulk_no, seq)',
  'attempt (organization_id, bulk_no, seq, attempt_no)',
  'chunk (organization_id, bulk_no, chunk_no)',
  'transfer_return (organization_id, bulk_no, seq)',
  'transfer_retry (organization_id, bulk_no, seq)',
  'transfer_retry (organization_id, child_bulk_no, child_seq)',
  'notice (organization_id, bulk_no, seq, source, notice_id)',
  'statement_entry (organization_id, bulk_no, seq, kind)',
  'job (name)',
  'hold (hold_no)',
  'api_key (key_id)',
  'bulk_check (organization_id, bulk_no)',
  'payee_verification (organization_id, bulk_no)',
  'webhook_endpoint (organization_id, endpoint_no)',
  'webhook_delivery (organization_id, delivery_no)',
  'webhook_delivery (organization_id, webhook_id)',
  'webhook_delivery (organization_id, endpoint_no, position)',
  'webhook_attempt (organization_id, delivery_no, attempt_no)',
  'event (organization_id, event_no)',
  'event (organization_id, position)',
  'deposit (organization_id, account_id, reference)',
  'deposit (organization_id, account_id, line_no)'
]

/** Unique indexes that are no keys, since they hold for some rows only or name no organization. */
const uniqueIndexes = [
  'account_clearing on account',
  'chunk_exclusive on chunk',
  'bulk_by_reference on bulk',
  'incident_open on incident',
  'hold_active on hold',
  'event_once on event'
]

const guards = [
  'append_only on transfer',
  'append_only on outcome',
  'append_only on attempt',
  'append_only on posting',
  'no_delete on bulk',
  'no_delete on chunk',
  'no_delete on account',
  'no_delete on organization',
  'guard on bulk',
  'guard on chunk',
  'guard on incident',
  'append_only on transfer_return',
  'append_only on transfer_retry',
  'append_only on statement_entry',
  'no_delete on notice',
  'no_delete on incident',
  'guard on notice',
  'retry_of_is_final on bulk',
  'no_delete on hold',
  'guard on hold',
  'no_delete on api_key',
  'guard on api_key',
  'append_only on bulk_check',
  'append_only on payee_verification',
  'no_delete on webhook_endpoint',
  'no_delete on event',
  'guard on event',
  'trace_id_is_final on bulk',
  'append_only on deposit'
]

/** Those rules of the migrations that keep states and amounts within bounds, with the names PostgreSQL gave them. */
const constraints = [
  ...['check', 'check1', 'check2', 'posting_count_check', 'organization_id_fkey'].map(
    (name) => `account_${name} on account`
  ),
  ...['check', 'check1', 'check2', 'check3', 'check4', 'amount_minor_check', 'line_no_check'].map(
    (name) => `posting_${name} on posting`
  ),
  ...['check', 'check1', 'check2', 'check3', 'final_exactly_when_all_are', 'total_minor_check'].map(
    (name) => `bulk_${name} on bulk`
  ),
  ...['transfer_count_check', 'bulk_reference_check', 'organization_id_account_id_fkey'].map(
    (name) => `bulk_${name} on bulk`
  ),
  ...['amount_minor_check', 'seq_check'].map((name) => `transfer_${name} on transfer`),
  ...['amount_minor_check', 'status_check', 'check'].map((name) => `outcome_${name} on outcome`),
  ...['attempt_no_check', 'status_check'].map((name) => `attempt_${name} on attempt`),
  ...['open_minor_check', 'status_check', 'seqs_check', 'organization_id_bulk_no_fkey'].map(
    (name) => `chunk_${name} on chunk`
  ),
  'transfer_return_amount_minor_check on transfer_return',
  'transfer_retry_check on transfer_retry',
  ...['amount_minor_check', 'source_check', 'check'].map((name) => `notice_${name} on notice`),
  'incident_organization_id_fkey on incident',
  'statement_entry_kind_check on statement_entry',
  'account_closed_reserves_nothing on account',
  'account_spent_minor_check on account',
  ...['check', 'check1', 'check2', 'organization_id_fkey'].map((name) => `hold_${name} on hold`),
  ...['check', 'scopes_check', 'secret_hash_check'].map((name) => `api_key_${name} on api_key`),
  ...['warnings_total_check', 'check'].map((name) => `bulk_check_${name} on bulk_check`),
  'organization_not_the_operators on organization',
  'organization_validation_check on organization',
  'organization_payee_check_check on organization',
  ...['results_check', 'suggested_names_check', 'check'].map(
    (name) => `payee_verification_${name} on payee_verification`
  ),
  ...['cause_check', 'for_payees_is_of_a_bulk'].map((name) => `hold_${name} on hold`),
  ...['check', 'check1', 'check2', 'organization_id_fkey'].map(
    (name) => `webhook_endpoint_${name} on webhook_endpoint`
  ),
  ...['check', 'check1', 'status_check', 'organization_id_endpoint_no_fkey'].map(
    (name) => `webhook_delivery_${name} on webhook_delivery`
  ),
  ...['check', 'check1', 'position_check', 'type_check', 'actor_check', 'hash_check'].map(
    (name) => `event_${name} on event`
  ),
  ...['amount_minor_check', 'reference_check', 'organization_id_account_id_fkey'].map(
    (name) => `deposit_${name} on deposit`
  )
]

/** What of the schema is in force: enabled triggers, validated constraints, unique keys and indexes that are valid. */
const selectGuards = statement(
  'verify-schema',
  {},
  { what: 'text' },
  `select format('%s on %s', tgname, tgrelid::regclass) as what
   from pg_trigger where not tgisinternal and tgenabled in ('O', 'A')
   union all
   select format('%s on %s', conname, conrelid::regclass)
   from pg_constraint where contype in ('c', 'f') and conrelid <> 0 and convalidated
   union all
   select format('%s (%s)', c.conrelid::regclass,
                 (select string_agg(a.attname, ', ' order by k.nr)
                  from unnest(c.conkey) with ordinality as k (attnum, nr)
                  join pg_attribute a on (a.attrelid, a.attnum) = (c.conrelid, k.attnum)))
   from pg_constraint c join pg_index i on i.indexrelid = c.conindid
   where c.contype in ('p', 'u') and i.indisvalid and i.indisunique
   union all
   select format('%s on %s', indexrelid::regclass, indrelid::regclass)
   from pg_index where indisvalid and indisunique`
)

const nothingKeepsOut = 'it does not exist or is not valid: nothing keeps a second row out'

const checkGuards: Check = async (tx, row_limit) => {
  const inForce = new Set((await selectGuards(tx, {})).map((row) => row.what))
  const missing = (what: string) => !inForce.has(what)
  const violations: Violation[] = [
    ...uniqueKeys.filter(missing).map((key) => ({
      invariant: key.startsWith('bulk') ? ('I6' as const) : ('I7' as const),
      subject: `unique key ${key}`,
      details: nothingKeepsOut
    })),
    ...uniqueIndexes.filter(missing).map((index) => ({
      invariant: index.startsWith('bulk') ? ('I6' as const) : ('I7' as const),
      subject: `unique index ${index}`,
      details: nothingKeepsOut
    })),
    ...guards.filter(missing).map((trigger) => ({
      invariant: 'I7' as const,
      subject: `trigger ${trigger}`,
      details: 'it does not exist or is disabled: what is final could be changed'
    })),
    ...constraints.filter(missing).map((constraint) => ({
      invariant: 'I7' as const,
      subject: `constraint ${constraint}`,
      details: 'it does not exist or is not validated'
    }))
  ]
  return violations.slice(0, row_limit)
}

const selectFunctions = statement(
  'verify-functions',
  { names: 'text[]' },
  { name: 'text', body: 'text' },
  `select proname::text as name, prosrc as body from pg_proc
   where proname = any (:names) and pg_function_is_visible(oid)`
)

/** PostgreSQL keeps the text of these functions as it was given. */
const checkFunctions: Check = async (tx, row_limit) => {
  const wanted = await readFunctionBodies()
  const rows = await selectFunctions(tx, { names: [...wanted.keys()] })
  const found = new Map(rows.map(({ name, body }) => [name, body]))
  // A checkout may have other line ends than the one that migrated.
  const inOneForm = (body: string | undefined) => body?.replaceAll('\r\n', '\n')
  return [...wanted]
    .filter(([name, body]) => inOneForm(found.get(name)) !== inOneForm(body))
    .map(([name]) => ({
      invariant: 'I7' as const,
      subject: `function ${name}`,
      details: 'it is not what the migrations made: what it is to refuse could be done'
    }))
    .slice(0, row_limit)
}

const selectFinalStatuses = statement(
  'verify-final-statuses',
  {},
  { transfers: 'int4', executed: 'int4', failed: 'int4', status: 'text' },
  `select transfers, executed, failed, final_bulk_status(transfers, executed, failed)::text as status
   from generate_series(1, 3) as transfers, generate_series(0, transfers) as executed,
        generate_series(0, transfers - executed) as failed`
)

const checkFinalStatuses: Check = async (tx, row_limit) => {
  const rows = await selectFinalStatuses(tx, {})
  return rows
    .filter((row) => row.status !== finalBulkStatus(row))
    .map(({ transfers, executed, failed, status }) => ({
      invariant: 'I7' as const,
      subject: 'function final_bulk_status',
      details: `it makes a bulk of ${transfers} transfers, ${executed} executed and ${failed} failed, ${status}`
    }))
    .slice(0, row_limit)
}

/** I6 and I7: the schema still refuses what it was made to refuse. */
export const schemaChecks: Record<string, Check> = {
  'guards of the schema': checkGuards,
  'functions of the schema': checkFunctions,
  'final statuses': checkFinalStatuses
}
