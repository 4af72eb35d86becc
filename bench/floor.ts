import { randomUUID } from 'node:crypto'
import { Pool } from 'undici'
import type { Tx } from '../src/database/statement.ts'
import { makeBulkReference } from '../src/transfers/bulk-reference.ts'
import { readRequest } from '../src/transfers/read-request.ts'
import type { ValidBulk } from '../src/transfers/normalise-bulk.ts'
import { validateBulk } from '../src/transfers/validate-bulk.ts'

/*
 * The floors: what has to be written durably, written by statements of their own with nothing else in them. They share
 * no SQL with the program, so that a program that gets slower does not slow its own floor down.
 */

interface PreparedBulk extends ValidBulk {
  transfers_json: string
}

/** A bulk with everything computed that is not the database's work. */
export function prepare(body: unknown): PreparedBulk {
  const read = readRequest(body)
  if (read.outcome === 'refused') throw new Error(read.problem.details)
  const validated = validateBulk(read.request, read.transferCount, {
    today: new Date().toISOString().slice(0, 10)
  })
  if (validated.outcome === 'refused') throw new Error(validated.problem.details)
  return { ...validated.bulk, transfers_json: JSON.stringify(validated.bulk.transfers) }
}

/** Writes a bulk of 1000, its chunks and transfers, and reserves its total: one statement, one commit. */
export async function bareAccept(tx: Tx, organizationId: number, bulk: PreparedBulk): Promise<void> {
  const request_id = randomUUID()
  const { rows } = await tx.query({
    name: 'floor-accept',
    text: `with payer as (
        update account set reserved_minor = reserved_minor + $2
        where organization_id = $1 and kind = 'CUSTOMER' returning account_id
      ), b as (
        insert into bulk (organization_id, account_id, request_id, bulk_reference, content_hash, currency, transfer_count,
                          total_minor, chunk_count, on_failure)
        select $1, account_id, $3, $4, $5, 'EUR', 1000, $2, 10, 'continue' from payer returning bulk_no
      ), t as (
        insert into transfer (organization_id, bulk_no, seq, amount_minor, counterparty_name, counterparty_bic,
                              counterparty_iban, description, client_transfer_id)
        select $1, bulk_no, nr - 1, amount_minor, counterparty_name, counterparty_bic, counterparty_iban, description,
               client_transfer_id
        from b, rows from (json_to_recordset($6::json) as (amount_minor int8, counterparty_name text,
          counterparty_bic text, counterparty_iban text, description text, client_transfer_id text)) with ordinality
          as i (amount_minor, counterparty_name, counterparty_bic, counterparty_iban, description, client_transfer_id, nr)
      ), c as (
        insert into chunk (organization_id, bulk_no, chunk_no, due_at, seqs, open_minor)
        select $1, bulk_no, g, now(), array(select generate_series(g * 100, g * 100 + 99)::int2), 1
        from b, generate_series(0, 9) g
      )
      select bulk_no from b`,
    values: [
      organizationId,
      bulk.total_minor,
      request_id,
      makeBulkReference({ ...bulk, organization_id: organizationId, request_id }),
      bulk.content_hash,
      bulk.transfers_json
    ]
  })
  if (rows.length !== 1) throw new Error('the floor did not accept')
}

/** Ends everything that is open, two chunks a commit: outcomes, postings, account, bulk, chunks; no claim, no check. */
export async function bareSettle(tx: Tx, organizationId: number): Promise<void> {
  for (;;) {
    const { rows } = await tx.query({
      name: 'floor-settle',
      text: `with due as (
          select bulk_no, min(chunk_no) as first_chunk from chunk
          where due_at is not null and organization_id = $1 group by bulk_no order by bulk_no limit 1
        ), o as (
          insert into outcome (organization_id, bulk_no, seq, amount_minor, status)
          select organization_id, bulk_no, seq, amount_minor, 'EXECUTED' from due join transfer using (bulk_no)
          where organization_id = $1 and seq between first_chunk * 100 and first_chunk * 100 + 199
          returning bulk_no, seq, amount_minor
        ), s as (select bulk_no, count(*) as n, sum(amount_minor) as total from o group by bulk_no
        ), c as (
          update chunk set due_at = null, epoch = 1 from due
          where organization_id = $1 and chunk.bulk_no = due.bulk_no and chunk_no in (first_chunk, first_chunk + 1)
        ), b as (
          update bulk set executed_count = executed_count + n, executed_minor = executed_minor + total,
            version = version + 1,
            status = case when executed_count + n = 1000 then 'COMPLETED' else 'PROCESSING' end::bulk_status,
            completed_at = case when executed_count + n = 1000 then now() end
          from s where organization_id = $1 and bulk.bulk_no = s.bulk_no
        ), a as (
          update account set balance_minor = balance_minor - total, reserved_minor = reserved_minor - total,
            posting_count = posting_count + n
          from s where organization_id = $1 and kind = 'CUSTOMER' returning account_id, posting_count - n as last
        ), p as (
          insert into posting (organization_id, account_id, line_no, counter_account_id, amount_minor, kind, bulk_no, seq)
          select $1, a.account_id, a.last + row_number() over (order by seq),
            (select account_id from account where organization_id = $1 and kind = 'CLEARING'),
            -amount_minor, 'TRANSFER', bulk_no, seq from o, a
        )
        select n from s`,
      values: [organizationId]
    })
    if (rows.length === 0) return
  }
}

/** A bare HTTP client that posts payments to the same bank and reads the answers. */
export async function barePay(bankUrl: string, payments: string[], connections: number): Promise<void> {
  const pool = new Pool(bankUrl, { connections, pipelining: 1 })
  const headers = { 'content-type': 'application/json' }
  await Promise.all(
    payments.map(async (body) => {
      const answer = await pool.request({ method: 'POST', path: '/payments', headers, body })
      await answer.body.text()
      if (answer.statusCode !== 201) throw new Error(`the bank answered ${answer.statusCode}`)
    })
  )
  await pool.close()
}
