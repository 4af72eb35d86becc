import type { z } from 'zod'
import type * as admin from './admin-schemas.ts'
import type * as schemas from './schemas.ts'
import type * as webhooks from './webhook-schemas.ts'

// One story, told by the examples of all answers: a payroll of two, of which one was paid.

const bulk_id = '123e4567-e89b-12d3-a456-426614174000'
export const retry_id = '0b6f3a0e-6d8a-4c0b-9a53-3a8e5a4f7c11'
export const webhook_id = 'msg_0d2f4c1e9a7b4c55b0a9d3c2f1e8a7b6'
const trace_id = '4bf92f3577b34da6a3ce929d0e0e4736'
const hash = 'e7a67235733d954b41cd60df66555664167d5692a88f80c206ca7727e007341a'
const accepted_at = '2026-07-01T08:00:00.000Z'
export const completed_at = '2026-07-01T08:00:01.000Z'
export const secret = `whsec_${'x'.repeat(43)}=`

export const none = { count: 0, amount: '0.00' }
const one = { count: 1, amount: '100.00' }
export const both = { count: 2, amount: '200.00' }

export const acceptance: z.infer<typeof schemas.acceptance> = {
  bulk_id,
  message: 'Bulk transfer accepted',
  status: 'PENDING',
  status_url: `/transfers/bulk/${bulk_id}/status`,
  transfer_count: 2,
  total_amount: '200.00',
  currency: 'EUR',
  held: false,
  accepted_at,
  warnings: [
    {
      pointer: '/credit_transfers/1/counterparty_name',
      index: 1,
      client_transfer_id: 'E-1002',
      code: 'payee-close-match',
      detail: `The payee's bank says that the account goes by the name "Jane Doe-Smith".`
    }
  ],
  warnings_total: 1
}

export const status: z.infer<typeof schemas.bulkStatus> = {
  bulk_id,
  status: 'PARTIALLY_COMPLETED',
  final: true,
  held: false,
  needs_attention: false,
  currency: 'EUR',
  total: both,
  executed: one,
  pending: none,
  processing: none,
  unknown: none,
  failed: one,
  cancelled: none,
  returned: none,
  progress: 1,
  accepted_at,
  completed_at,
  version: 3
}

export const bulk: z.infer<typeof schemas.bulk> = {
  ...status,
  organization_iban: 'FR10474608000002006107XXXXX',
  organization_bic: 'OIVUSCLQXXX',
  label: 'Salaries of June',
  metadata: { run: '2026-06' },
  on_failure: 'continue',
  stopped_at: null,
  retry_of: null,
  payee_check: {
    checked_at: accepted_at,
    opted_out: false,
    match: 1,
    close_match: 1,
    no_match: 0,
    not_possible: 0,
    held: false,
    released_at: null,
    released_by: null
  },
  status_url: `/transfers/bulk/${bulk_id}/status`,
  transfers_url: `/transfers/bulk/${bulk_id}/transfers`
}

export const transfer: z.infer<typeof schemas.transfer> = {
  transfer_id: '01JDB8Q5ZK3M2N4P6R7S8T9VWX-1',
  bulk_id,
  index: 1,
  client_transfer_id: 'E-1002',
  end_to_end_id: 'JUNE-1002',
  amount: '100.00',
  currency: 'EUR',
  counterparty_name: 'Jane Doe',
  counterparty_bic: 'DEUTDEFFXXX',
  counterparty_iban: 'DE88000000000000001004',
  description: 'Salary payment for June 2026',
  metadata: null,
  status: 'FAILED',
  retry_of: null,
  retried_as: null,
  returned: null,
  payee_check: { result: 'close-match', suggested_name: 'Jane Doe-Smith' },
  failure: {
    code: 'AC04',
    reason: 'Closed account',
    message: 'The account has been closed. Ask the payee for another one.',
    retryable: false
  },
  bank_reference: '01JDB8Q5ZK3M2N4P6R7S8T9VWX-1',
  attempts: [{ status: 'FAILED', reason: 'AC04', at: completed_at }],
  updated_at: completed_at
}

export const account: z.infer<typeof schemas.account> = {
  iban: 'FR10474608000002006107XXXXX',
  bic: 'OIVUSCLQXXX',
  organization_name: 'ACME Corp',
  currency: 'EUR',
  balance: '99900.00',
  reserved: '75.00',
  available: '99825.00'
}

export const transaction: z.infer<typeof schemas.transaction> = {
  line: 2,
  kind: 'TRANSFER',
  amount: '-100.00',
  currency: 'EUR',
  bulk_id,
  transfer_id: '01JDB8Q5ZK3M2N4P6R7S8T9VWX-0',
  counterparty_name: 'John Doe',
  counterparty_iban: 'DE89370400440532013000',
  description: 'Salary payment for June 2026',
  reference: null,
  posted_at: completed_at
}

export const event: z.infer<typeof schemas.eventPage>['data'][number] = {
  position: 4,
  type: 'bulk.completed',
  version: 3,
  actor: 'bulkhead',
  trace_id,
  occurred_at: completed_at,
  data: status,
  hash
}

/** As it was made: its hash is the one of its content. */
export const record: z.infer<typeof schemas.auditPage>['data'][number] = {
  position: 1,
  type: 'key.created',
  actor: 'operator:command',
  trace_id: null,
  occurred_at: '2026-11-23T02:22:49.175Z',
  data: { key_id: '8nRPqPLs6jB8', scopes: ['read', 'submit', 'cancel'], expires_at: null },
  content:
    '[1, 1, "key.created", null, null, "operator:command", null, 1795400569175225, {"key_id": "8nRPqPLs6jB8", "scopes": ["read", "submit", "cancel"], "expires_at": null}]',
  previous_hash: '',
  hash: '9d52c34f3dbffd4f8798ad17dd597a9dbec92ed58d4f87509fe08c4a0ccb6011'
}

export const endpoint: z.infer<typeof webhooks.endpoint> = {
  endpoint_no: 1,
  url: 'https://erp.example.com/bulkhead',
  description: null,
  event_types: ['bulk.completed'],
  status: 'ENABLED',
  disabled_at: null,
  disabled_reason: null,
  failing_since: null,
  last_failure: null,
  paused_until: null,
  old_secret_until: null,
  pending_deliveries: 0,
  created_at: accepted_at
}

export const delivery: z.infer<typeof webhooks.listedDelivery> = {
  webhook_id,
  endpoint_no: 1,
  position: 4,
  type: 'bulk.completed',
  status: 'DELIVERED',
  attempt_count: 1,
  created_at: completed_at,
  next_attempt_at: null,
  last_attempt: { at: completed_at, http_status: 204, cause: null }
}

export const deliveryLog: z.infer<typeof webhooks.delivery> = {
  ...delivery,
  request: {
    url: endpoint.url,
    body: JSON.stringify({ type: event.type, timestamp: completed_at, data: { ...status, position: 4 } })
  },
  attempts: [
    { attempt_no: 1, at: completed_at, duration_ms: 38, http_status: 204, cause: null, answer: null }
  ]
}

export const organization: z.infer<typeof admin.organization> = {
  organization_id: 1,
  name: 'ACME Corp',
  status: 'ACTIVE',
  created_at: accepted_at,
  requests_per_minute: null,
  transfers_per_minute: null,
  validation: 'strict',
  payee_check: 'warn'
}

export const key: z.infer<typeof admin.apiKey> = {
  key_id: '8nRPqPLs6jB8',
  environment: 'test',
  label: 'payroll',
  scopes: ['read', 'submit', 'cancel'],
  created_at: accepted_at,
  created_by: 'operator:command',
  expires_at: null,
  last_used_at: completed_at,
  revoked_at: null
}

export const newKey: z.infer<typeof admin.newApiKey> = {
  ...key,
  last_used_at: null,
  api_key: `bh_test_${key.key_id}${'x'.repeat(38)}`
}

export const hold: z.infer<typeof admin.hold> = {
  hold_no: 1,
  organization_id: 1,
  iban: null,
  bulk_id: null,
  cause: 'order',
  reason: 'Key may be stolen',
  held_by: 'key:pxwKqWOAk8Vy',
  held_at: accepted_at
}

export const incident: z.infer<typeof schemas.incident> = {
  incident_no: 1,
  kind: 'missing-at-bank',
  subject: `transfer ${transfer.transfer_id}`,
  details: "It is EXECUTED here, and not on the bank's statement.",
  opened_at: completed_at,
  resolved_at: null
}
