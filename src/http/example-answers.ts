import { csvHeader, csvLine } from '../transfers/report.ts'
import {
  acceptance,
  account,
  both,
  bulk,
  completed_at,
  delivery,
  deliveryLog,
  endpoint,
  event,
  hold,
  incident,
  key,
  newKey,
  none,
  organization,
  record,
  retry_id,
  secret,
  status,
  transaction,
  transfer,
  webhook_id
} from './example-story.ts'

/** The example of an answer of an operation. */
export function exampleAnswer(operationId: string, about: { status: string; type: string }): unknown {
  return (answers[`${operationId} ${about.status}`] ?? answers[operationId])?.[about.type]
}

const stream = [
  'retry: 2000',
  `id: 3\nevent: ${event.type}\ndata: ${JSON.stringify({ type: event.type, version: 3, occurred_at: completed_at, data: status })}`
]

const metric = 'bulkhead_transfers_ended_total'

const checks = [
  { name: 'database', ok: true, details: 'answers' },
  { name: 'migrations', ok: true, details: 'all are done' },
  { name: 'bank', ok: true, details: 'answers' }
]

const json = (answer: unknown) => ({ 'application/json': answer })
const list = (entry: unknown) => json({ data: [entry], has_more: false, next_cursor: null })
const log = (entry: unknown) => ({ data: [entry], has_more: false, next_after: 4 })
const lines = (entry: unknown) => `${JSON.stringify(entry)}\n`

/** By the operation (and its status, where several differ), and by the type of the answer. */
const answers: Record<string, Record<string, unknown>> = {
  submit_bulk: json(acceptance),
  retry_failed_transfers: json({
    ...acceptance,
    bulk_id: retry_id,
    status_url: `/transfers/bulk/${retry_id}/status`,
    transfer_count: 1,
    total_amount: '100.00',
    warnings: [],
    warnings_total: 0
  }),
  read_bulk_status: json(status),
  read_bulk: json(bulk),
  list_bulks: list(bulk),
  cancel_bulk: json({
    ...status,
    status: 'CANCELLED',
    executed: none,
    failed: none,
    cancelled: both,
    cancelled_now: both
  }),
  release_bulk: json({
    ...status,
    status: 'PENDING',
    final: false,
    executed: none,
    failed: none,
    pending: both,
    progress: 0,
    completed_at: null,
    version: 1,
    released_now: 2
  }),
  follow_bulk: { 'text/event-stream': `${stream.join('\n\n')}\n\n` },
  read_bulk_report: { 'text/csv': csvHeader + csvLine(transfer), 'application/jsonl': lines(transfer) },
  list_bulk_transfers: list(transfer),
  read_transfer: json(transfer),
  list_accounts: list(account),
  read_account: json(account),
  list_transactions: list(transaction),
  list_incidents: list(incident),
  list_events: json(log(event)),
  list_audit: { ...json({ ...log(record), next_after: 1 }), 'application/jsonl': lines(record) },
  list_operator_audit: { ...json({ ...log(record), next_after: 1 }), 'application/jsonl': lines(record) },
  list_webhook_endpoints: list(endpoint),
  read_webhook_endpoint: json(endpoint),
  create_webhook_endpoint: json({ ...endpoint, secret }),
  change_webhook_endpoint: json(endpoint),
  rotate_webhook_secret: json({ secret, old_secret_until: '2026-07-02T08:00:00.000Z' }),
  test_webhook_endpoint: json({ webhook_id }),
  recover_webhook_endpoint: json({ restarted: 3 }),
  list_webhook_deliveries: list(delivery),
  read_webhook_delivery: json(deliveryLog),
  redeliver_webhook: json({ webhook_id }),
  list_keys: list(key),
  create_key: json(newKey),
  rotate_key: json(newKey),
  list_organizations: list(organization),
  create_organization: json(organization),
  limit_organization: json({ ...organization, requests_per_minute: 600 }),
  set_payee_policy: json({ ...organization, payee_check: 'hold' }),
  set_validation_policy: json({ ...organization, validation: 'lenient' }),
  open_account: json(account),
  limit_account: json(account),
  deposit: json({
    line: 7,
    reference: 'top-up-2026-11-23',
    amount: '5000.00',
    currency: 'EUR',
    posted_at: completed_at
  }),
  list_organization_keys: list(key),
  create_organization_key: json(newKey),
  list_holds: list(hold),
  place_hold: json({ waiting: 2 }),
  release_hold: json({ resumed: 2 }),
  take_bank_notices: json({ kept: 1, unknown_payments: [], different_payments: [] }),
  read_liveness: json({ status: 'live' }),
  read_readiness: json({ status: 'ready', checks }),
  'read_readiness 503': json({
    status: 'not-ready',
    checks: [{ name: 'database', ok: false, details: 'does not answer' }, checks[2]]
  }),
  read_metrics: { 'text/plain': `# TYPE ${metric} counter\n${metric}{status="EXECUTED"} 1\n` }
}
