import { randomBytes, randomUUID } from 'node:crypto'
import { Pool } from 'undici'
import type { Database } from '../src/database/database.ts'
import { makeBulkReference } from '../src/domain/reference.ts'
import { claimChunks, recordResults } from '../src/execution/queries.ts'
import { acceptBulk } from '../src/transfers/accept-queries.ts'
import { readRequest } from '../src/transfers/read-request.ts'
import { validateBulk, type ValidBulk } from '../src/transfers/validate-bulk.ts'

/** A bulk with everything computed that is not the database's work. */
export function prepare(body: unknown): ValidBulk {
  const read = readRequest(body)
  if (read.outcome === 'refused') throw new Error(read.problem.details)
  const validated = validateBulk(read.request, read.transferCount, new Date().toISOString().slice(0, 10))
  if (validated.outcome === 'refused') throw new Error(validated.problem.details)
  return validated.bulk
}

/** The floor of accepting: the one statement, its parameters ready. */
export async function bareAccept(db: Database, organizationId: number, bulk: ValidBulk): Promise<void> {
  const rows = await acceptBulk(db, {
    organization_id: organizationId,
    request_id: randomUUID(),
    iban: bulk.organization_iban,
    bic: bulk.organization_bic,
    currency: bulk.currency,
    total_minor: bulk.total_minor,
    transfer_count: bulk.transfer_count,
    chunk_size: 100,
    on_failure: bulk.on_failure,
    bulk_reference: makeBulkReference(Date.now(), randomBytes(10)),
    content_hash: bulk.content_hash,
    label: null,
    metadata: null,
    transfers: bulk.transfers
  })
  if (rows.length !== 1) throw new Error('the floor was refused')
}

/** The floor of executing: claim and record everything that is due, with no bank and nothing in between. */
export async function bareSettle(
  db: Database,
  lanes: number,
  onExecuted: (reference: string, row: ClaimedRow) => void
): Promise<void> {
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (;;) {
        const rows = await claimChunks(db, { worker: 'floor', lease_ms: 60_000, chunk_limit: 2 })
        const [first] = rows
        if (!first) return
        const epochs = new Map(rows.map((row) => [row.chunk_no, row.epoch]))
        for (const row of rows) onExecuted(`${row.bulk_reference}-${row.seq}`, row)
        await recordResults(db, {
          organization_id: first.organization_id,
          bulk_no: first.bulk_no,
          chunk_nos: [...epochs.keys()],
          epochs: [...epochs.values()],
          seqs: rows.map((row) => row.seq),
          statuses: rows.map(() => 'EXECUTED'),
          reason_codes: rows.map(() => null),
          reasons: rows.map(() => null),
          due_in_ms: rows.map(() => 0)
        })
      }
    })
  )
}
export type ClaimedRow = Awaited<ReturnType<typeof claimChunks>>[number]

/** The floor of paying: a bare HTTP client that posts payments to the same bank and reads the answers. */
export async function barePay(bankUrl: string, payments: string[], connections: number): Promise<void> {
  const pool = new Pool(bankUrl, { connections, pipelining: 1 })
  await Promise.all(
    payments.map(async (body) => {
      const answer = await pool.request({
        method: 'POST',
        path: '/payments',
        headers: { 'content-type': 'application/json' },
        body
      })
      await answer.body.text()
      if (answer.statusCode !== 201) throw new Error(`the bank answered ${answer.statusCode}`)
    })
  )
  await pool.close()
}
