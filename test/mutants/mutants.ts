/** A deliberate bug: one place of the code, and what stands there instead. */
export interface Mutant {
  name: string
  file: string
  find: string
  replace: string
  /** Test files, of which one has to fail; the simulation finds most of these bugs too, and takes longer. */
  tests: string[]
}

const queries = 'src/execution/queries.ts'
const interpretation = 'src/execution/interpret-answer.ts'
const execution = 'src/execution/execute-claim.ts'

/** Bugs that engines of this kind had, each of which the tests have to catch. */
export const mutants: Mutant[] = [
  {
    name: 'no fence: a holder that lost its lease records all the same',
    file: queries,
    find: `join unnest(:chunk_nos, :epochs) as h (chunk_no, epoch) using (chunk_no, epoch)
     where c.organization_id = :organization_id and c.bulk_no = :bulk_no and c.worker is not null
       and c.seqs <@ :seqs`,
    replace: `join unnest(:chunk_nos, :epochs) as h (chunk_no, old) using (chunk_no)
     where c.organization_id = :organization_id and c.bulk_no = :bulk_no and c.due_at is not null
       and c.seqs <@ :seqs`,
    tests: ['execution/execute', 'execution/concurrency']
  },
  {
    name: 'release on timeout: silence counts as a failure',
    file: interpretation,
    find: 'return goesOn(stillOpen, answer.cause)',
    replace: "return { seq, status: 'FAILED', reason_code: 'MS03', reason: answer.cause, due_in_ms: 0 }",
    tests: ['execution/execute']
  },
  {
    name: 'retry under a new reference',
    file: execution,
    find: 'reference: transferId(transfer.bulk_reference, transfer.seq),',
    replace:
      'reference: `${transferId(transfer.bulk_reference, transfer.seq)}${transfer.attempts > 1 ? "r" : ""}`,',
    tests: ['execution/execute']
  },
  {
    name: 'not found means failed',
    file: interpretation,
    find: "return goesOn('UNKNOWN', 'the bank does not know it')",
    replace: "return { seq, status: 'FAILED', reason_code: 'MS03', reason: 'unknown', due_in_ms: 0 }",
    tests: ['execution/execute', 'execution/inquiry']
  },
  {
    name: 'what a dead worker held counts as never sent',
    file: interpretation,
    find: "return transfer.status === 'PROCESSING' && transfer.epoch === 1",
    replace: "return transfer.status === 'PROCESSING'",
    tests: ['execution/execute']
  },
  {
    name: 'an unknown outcome goes back to those that may be cancelled',
    file: interpretation,
    find: "return triedAgain(fresh ? 'PENDING' : stillOpen, answer.cause, answer.retry_after_ms)",
    replace: "return triedAgain('PENDING', answer.cause, answer.retry_after_ms)",
    tests: ['execution/execute']
  },
  {
    name: 'the reserve is not part of the check of funds',
    file: 'src/transfers/accept-queries.ts',
    find: 'and balance_minor - reserved_minor >= :total_minor',
    replace: 'and balance_minor >= :total_minor',
    tests: ['transfers/submit-bulk']
  },
  {
    name: 'acknowledged before it is committed',
    file: 'src/transfers/submit-bulk.ts',
    find: "if (isUniqueViolation(error, 'bulk_organization_id_request_id_key')) return null",
    replace:
      "if (!isUniqueViolation(error, 'transfer_retry_pkey')) return { bulk_no: 0n, accepted_at: new Date(context.clock.nowMs()) }",
    tests: ['transfers/submit-bulk']
  },
  {
    name: 'cancel takes what a worker is sending',
    file: queries,
    find: `and c.due_at is not null
       and c.status = 'PENDING'`,
    replace: `and c.due_at is not null
       and c.status in ('PENDING', 'PROCESSING')`,
    tests: ['execution/cancel']
  },
  {
    name: 'what was put back to a cancelled bulk is sent',
    file: execution,
    find: 'if (transfer.stopped_ms !== null) return cancelled(transfer.seq, reasonToStop.earlier)',
    replace:
      'if (transfer.stopped_ms !== null && transfer.seq < 0) return cancelled(transfer.seq, reasonToStop.earlier)',
    tests: ['execution/cancel']
  },
  {
    name: 'what may have been sent is sent again after its bulk has stopped',
    file: execution,
    find: 'idempotent_submit && stopped_ms === null',
    replace: 'idempotent_submit',
    tests: ['execution/stop']
  },
  {
    name: 'on_failure stop does not stop',
    file: queries,
    find: "or (b.on_failure = 'stop' and t.failed_count > 0)",
    replace: '',
    tests: ['execution/stop']
  },
  {
    name: 'a dead worker is never replaced',
    file: queries,
    find: 'const free = `not (',
    replace: 'const free = `c.worker is null and not (',
    tests: ['execution/fairness', 'ledger/model']
  },
  {
    name: 'the reserve of a failed transfer is not released',
    file: queries,
    find: 'reserved_minor = a.reserved_minor - t.ended_minor,',
    replace: 'reserved_minor = a.reserved_minor - t.executed_minor,',
    tests: ['execution/execute']
  },
  {
    name: 'a bulk counts its failures without their amount',
    file: queries,
    find: 'failed_minor = b.failed_minor + t.failed_minor,',
    replace: 'failed_minor = b.failed_minor + 0 * t.failed_minor,',
    tests: ['execution/retry-failed']
  },
  {
    name: 'other content under a taken request_id is answered as a replay',
    file: 'src/transfers/submit-bulk.ts',
    find: 'content_hash !== null && taken.content_hash.equals(content_hash)',
    replace: 'content_hash !== null',
    tests: ['transfers/submit-bulk']
  },
  {
    name: 'what a bank that took a payment says of it later is not asked for',
    file: interpretation,
    find: "return goesOn('SENT', 'the bank has taken it; its result is to come')",
    replace: "return { ...goesOn('SENT', 'taken'), due_in_ms: 86_400_000 }",
    tests: ['execution/execute', 'execution/inquiry']
  },
  {
    name: 'a notice of the bank is believed without its signature',
    file: 'src/banking/bank-notice.ts',
    find: "return timingSafeEqual(right, Buffer.from(match[2], 'hex'))",
    replace: 'return right.length > 0',
    tests: ['http/bank-notices']
  },
  {
    name: 'the same notice twice is two notices',
    file: 'src/execution/notice-queries.ts',
    find: `order by organization_id, bulk_no, seq, notice_id
     on conflict do nothing`,
    replace: 'order by organization_id, bulk_no, seq, notice_id',
    tests: ['execution/notices']
  },
  {
    name: 'a notice that contradicts the recorded end is dropped without an incident',
    file: 'src/execution/notices.ts',
    find: 'await openContradiction(context, notice)\n  return true',
    replace: 'if (notice.seq < 0) await openContradiction(context, notice)\n  return true',
    tests: ['execution/notices']
  },
  {
    name: 'retry-failed takes what was retried before',
    file: 'src/transfers/retry-failed.ts',
    find: "o.status = 'FAILED'\n       and not exists",
    replace: "o.status = 'FAILED'\n       and true or exists",
    tests: ['execution/retry-failed']
  },
  {
    name: 'the breaker never opens',
    file: 'src/execution/bank-gate.ts',
    find: 'const failuresToClose = 20',
    replace: 'const failuresToClose = Infinity',
    tests: ['execution/bank-gate']
  },
  {
    name: 'a second booking on the statement goes unnoticed',
    file: 'src/reconciliation/reconcile.ts',
    find: 'else if (line.earlier_entry_no !== null)',
    replace: 'else if (line.earlier_entry_no === -1n)',
    tests: ['reconciliation/reconcile']
  },
  {
    name: 'a hold holds nothing back',
    file: 'src/execution/hold.ts',
    find: `where h.released_at is null
    and (h.organization_id is null`,
    replace: `where h.released_at is null and false
    and (h.organization_id is null`,
    tests: ['execution/hold']
  },
  {
    name: 'what is held is sent again after a lost answer',
    file: execution,
    find: 'stopped_ms === null && !held',
    replace: 'stopped_ms === null',
    tests: ['execution/hold']
  },
  {
    name: 'the limit of a day is looked at, but not where the money is reserved',
    file: 'src/transfers/accept-queries.ts',
    find: '(max_day_minor is null or',
    replace: '(max_day_minor is not null or',
    tests: ['execution/hold']
  },
  {
    name: 'a request acts for every organization',
    file: 'src/database/database.ts',
    find: `role: 'bulkhead_api',`,
    replace: '',
    tests: ['database/organization']
  },
  {
    name: 'a high-water mark: an event that commits late is never seen',
    file: 'src/events/seal-events.ts',
    find: 'from event e where position is null order by event_no limit :limit',
    replace:
      'from event e where position is null and event_no > coalesce((select max(event_no) from event where position is not null), 0) order by event_no limit :limit',
    tests: ['events/seal-events']
  },
  {
    name: 'two sealers at once',
    file: 'src/events/seal-events.ts',
    find: 'if (!lock?.locked) return 0',
    replace: 'void lock',
    tests: ['events/seal-events']
  },
  {
    name: 'a version that was had in part counts as had',
    file: 'src/events/bulk-watcher.ts',
    find: "const id = rows[index + 1]?.version === version ? '' : `id: ${version}\\n`",
    replace: 'const id = index < 0 ? "" : `id: ${version}\\n`',
    tests: ['http/bulk-events']
  },
  {
    name: 'a webhook that was taken counts as delivered',
    file: 'src/webhooks/dispatch-queries.ts',
    find: 'set taken = true, epoch = d.epoch + 1, due_at = now() + :lease_ms * interval',
    replace: "set status = 'DELIVERED', epoch = d.epoch + 1, due_at = null + :lease_ms * interval",
    tests: ['webhooks/delivery']
  },
  {
    name: 'endpoints that fail and endpoints that work share their slots',
    file: 'src/webhooks/dispatch-queries.ts',
    find: 'and (e.failing_since is not null) = :failing',
    replace: 'and (:failing or true)',
    tests: ['webhooks/slots']
  },
  {
    name: 'each watcher of a bulk looks for itself',
    file: 'src/events/bulk-watcher.ts',
    find: 'await watched.looked\n    if (!watched.found)',
    replace: 'await this.#look(watched)\n    if (!watched.found)',
    tests: ['http/bulk-events']
  }
]
