import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import pg from 'pg'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const { sql } = database
const { organization_id, open, final } = await makeHistory()
const ofOpen = `(organization_id, bulk_no) = (${organization_id}, ${open})`
const ofFinal = `(organization_id, bulk_no) = (${organization_id}, ${final})`
const payer = `organization_id = ${organization_id} and kind = 'CUSTOMER'`

/**
 * One final bulk and one that is open: its chunk 0 was recorded with one executed, one rejected and one unknown
 * transfer (so it is closed, and chunk 4 holds the unknown one), chunk 1 is claimed, chunks 2 and 3 were never claimed.
 */
async function makeHistory() {
  const context = createTestContext(database, { CHUNK_SIZE: 3 })
  const organization_id = await anOrganization(database.db)
  const submit = async (transfers: number) => {
    const bulk = aBulk({ transfers })
    assert.equal((await submitBulk(context, organization_id, bulk)).outcome, 'accepted')
    const rows = await sql('select bulk_no from bulk where request_id = $1', [bulk.request_id])
    return String(rows[0]?.['bulk_no'])
  }
  const claim = async () => {
    const claimed = await claimWork(context, 'test', { chunk_limit: 1 })
    assert.ok(claimed)
    return claimed
  }
  const final = await submit(2)
  await executeClaim(context, await claim())
  const open = await submit(12)
  context.bank.script = ({ reference }) => {
    if (reference.endsWith('-1')) return { outcome: 'rejected', code: 'AC04', message: '' }
    return reference.endsWith('-2')
      ? { outcome: 'unknown', cause: 'timeout', retry_after_ms: 60_000 }
      : 'execute'
  }
  await executeClaim(context, await claim())
  await sql(
    `update chunk set due_at = now() + interval '1 hour' where status = 'UNKNOWN' and due_at is not null`
  )
  await claim()
  return { organization_id, open, final }
}

/** SQLSTATE of what the schema refuses with: class 23, integrity constraint violation. */
const triggered = '23000'
const taken = '23505'
const unchecked = '23514'

async function codeOf(statement: string): Promise<string> {
  try {
    await sql(statement)
    return 'accepted'
  } catch (error) {
    assert.ok(error instanceof pg.DatabaseError)
    return error.code ?? 'no code'
  }
}

function refuses(rows: [what: string, statement: string, code: string][]): void {
  for (const [what, statement, code] of rows)
    it(`refuses ${what}`, async () => {
      assert.equal(await codeOf(statement), code)
    })
}

describe('rows that are final', () => {
  for (const [table, column] of [
    ['transfer', 'description'],
    ['outcome', 'reason'],
    ['attempt', 'reason'],
    ['posting', 'posted_at']
  ] as const)
    refuses([
      [`a change of a ${table}`, `update ${table} set ${column} = ${column}`, triggered],
      [`a change of no ${table} at all`, `update ${table} set ${column} = ${column} where false`, triggered],
      [`the removal of a ${table}`, `delete from ${table}`, triggered],
      [`the removal of every ${table}`, `truncate ${table}`, triggered]
    ])
  for (const table of ['bulk', 'chunk', 'account', 'organization'])
    refuses([
      [`the removal of a ${table}`, `delete from ${table}`, triggered],
      [`the removal of every ${table}`, `truncate ${table} cascade`, triggered]
    ])
})

describe('the money', () => {
  const line = (change: Record<string, string>) => {
    const row = {
      organization_id: String(organization_id),
      account_id: `(select account_id from account where ${payer})`,
      counter_account_id: `(select account_id from account where organization_id = ${organization_id} and kind = 'CLEARING')`,
      line_no: '1000',
      amount_minor: '-1',
      kind: `'TRANSFER'`,
      bulk_no: open,
      seq: '11',
      ...change
    }
    return `insert into posting (${Object.keys(row).join(', ')}) values (${Object.values(row).join(', ')})`
  }

  it('takes a right posting, so that those refused are refused for what is wrong in them', async () => {
    assert.equal(await codeOf(line({})), 'accepted')
  })
  refuses([
    [
      'a reserve above the balance',
      `update account set reserved_minor = balance_minor + 1 where ${payer}`,
      unchecked
    ],
    [
      'a balance below the reserve',
      `update account set balance_minor = reserved_minor - 1 where ${payer}`,
      unchecked
    ],
    ['a negative reserve', `update account set reserved_minor = -1 where ${payer}`, unchecked],
    [
      'a posting of an account with itself',
      line({ counter_account_id: `(select account_id from account where ${payer})` }),
      unchecked
    ],
    ['a transfer that brings money', line({ amount_minor: '1' }), unchecked],
    ['a return that takes money', line({ kind: `'RETURN'` }), unchecked],
    ['a posting of nothing', line({ amount_minor: '0' }), unchecked],
    ['a transfer of no bulk', line({ bulk_no: 'null', seq: 'null' }), unchecked],
    ['a second posting with one number', line({ line_no: '1' }), taken],
    [
      'a second outcome of a transfer',
      `insert into outcome (organization_id, bulk_no, seq, amount_minor, status)
       values (${organization_id}, ${open}, 0, 10000, 'CANCELLED')`,
      taken
    ],
    [
      'an outcome that is no end',
      `insert into outcome (organization_id, bulk_no, seq, amount_minor, status)
       values (${organization_id}, ${open}, 11, 10000, 'UNKNOWN')`,
      unchecked
    ],
    [
      'a failure without a code',
      `insert into outcome (organization_id, bulk_no, seq, amount_minor, status)
       values (${organization_id}, ${open}, 11, 10000, 'FAILED')`,
      unchecked
    ],
    [
      'a transfer of nothing',
      `insert into transfer (organization_id, bulk_no, seq, amount_minor, counterparty_name, counterparty_bic, counterparty_iban, description)
       values (${organization_id}, ${open}, 12, 0, '', '', '', '')`,
      unchecked
    ]
  ])
})

describe('a bulk', () => {
  const change = (clause: string, where = ofOpen) =>
    `update bulk set version = version + 1${clause === '' ? '' : `, ${clause}`} where ${where}`

  it('takes a change of its version alone, so that those refused are refused for the rest', async () => {
    assert.deepEqual([await codeOf(change('')), await codeOf(change('', ofFinal))], ['accepted', 'accepted'])
  })
  refuses([
    ['another total', change('total_minor = total_minor + 1'), triggered],
    ['another content', change(`content_hash = '\\x00'`), triggered],
    ['another request_id', change('request_id = gen_random_uuid()'), triggered],
    ['another reference', change(`bulk_reference = repeat('0', 26)`), triggered],
    ['another number of transfers', change('transfer_count = transfer_count + 1'), triggered],
    ['another account', change('account_id = account_id + 1'), triggered],
    ['a version that stays', `update bulk set label = label where ${ofOpen}`, triggered],
    ['a version that falls', `update bulk set version = version - 1 where ${ofOpen}`, triggered],
    ['fewer executed transfers', change('executed_count = executed_count - 1'), triggered],
    ['less executed money', change('executed_minor = executed_minor - 1'), triggered],
    ['fewer failed transfers', change('failed_count = failed_count - 1'), triggered],
    ['less failed money', change('failed_minor = failed_minor - 1'), triggered],
    ['pending again after it began', change(`status = 'PENDING'`), triggered],
    ['an end while transfers are open', change(`completed_at = now()`), unchecked],
    ['a final status while transfers are open', change(`status = 'COMPLETED'`), unchecked],
    ['more ended transfers than it has', change('executed_count = 1000'), unchecked],
    [
      'a final bulk that is open again',
      change(`status = 'PROCESSING', completed_at = null`, ofFinal),
      triggered
    ],
    ['a final bulk with another end', change(`status = 'FAILED'`, ofFinal), triggered],
    [
      'a final bulk at another time',
      change(`completed_at = completed_at + interval '1 s'`, ofFinal),
      triggered
    ],
    ['more returned than executed', change('returned_count = executed_count + 1', ofFinal), unchecked],
    [
      'the last transfer without the end of the bulk',
      change('cancelled_count = transfer_count - 2, cancelled_minor = total_minor - 20000'),
      unchecked
    ],
    [
      'an end by the wrong name',
      change(`cancelled_count = transfer_count - 2, cancelled_minor = total_minor - 20000,
              completed_at = now(), status = 'COMPLETED'`),
      unchecked
    ],
    [
      'an end with other money than the total',
      change(`cancelled_count = transfer_count - 2, cancelled_minor = total_minor - 20001,
              completed_at = now(), status = 'PARTIALLY_COMPLETED'`),
      unchecked
    ],
    [
      'a second bulk of one request_id',
      `insert into bulk (organization_id, account_id, request_id, bulk_reference, content_hash, currency, transfer_count, total_minor, chunk_count, on_failure)
       select organization_id, account_id, request_id, repeat('0', 26), content_hash, currency, transfer_count, total_minor, chunk_count, on_failure
       from bulk where ${ofOpen}`,
      taken
    ],
    [
      'a second bulk of one reference',
      `insert into bulk (organization_id, account_id, request_id, bulk_reference, content_hash, currency, transfer_count, total_minor, chunk_count, on_failure)
       select organization_id, account_id, gen_random_uuid(), bulk_reference, content_hash, currency, transfer_count, total_minor, chunk_count, on_failure
       from bulk where ${ofOpen}`,
      taken
    ]
  ])
})

describe('a chunk', () => {
  const [closed, claimed, pending, unknown] = [0, 1, 2, 4]
  const change = (chunk_no: number | undefined, clause: string) =>
    `update chunk set ${clause} where ${ofOpen} and chunk_no = ${chunk_no}`

  it('takes a new lease while it is open, so that those refused are refused for the rest', async () => {
    for (const chunk of [claimed, pending, unknown])
      assert.equal(await codeOf(change(chunk, `due_at = now() + interval '1 hour'`)), 'accepted')
  })
  refuses([
    ['other transfers', change(pending, `seqs = seqs || 11::int2`), triggered],
    ['another sum', change(pending, `open_minor = open_minor + 1`), triggered],
    ['another bulk', change(pending, `bulk_no = ${final}`), triggered],
    ['a lower epoch', change(claimed, `epoch = epoch - 1`), triggered],
    ['the life of one that is closed', change(closed, `due_at = now()`), triggered],
    ['any change of one that is closed', change(closed, `worker = 'late'`), triggered],
    ['what may have been sent, pending again', change(claimed, `status = 'PENDING'`), triggered],
    ['a claimed one, unknown in place', change(claimed, `status = 'UNKNOWN'`), triggered],
    ['an unknown one, to be sent again in place', change(unknown, `status = 'PROCESSING'`), triggered],
    ['an end in place', change(claimed, `status = 'EXECUTED'`), triggered],
    [
      'one of no bulk',
      `insert into chunk (organization_id, bulk_no, chunk_no, seqs, open_minor) values (${organization_id}, 0, 0, '{0}', 1)`,
      '23503'
    ],
    [
      'one of no transfers',
      `insert into chunk (organization_id, bulk_no, chunk_no, seqs, open_minor) values (${organization_id}, ${open}, 9, '{}', 1)`,
      unchecked
    ]
  ])
})
