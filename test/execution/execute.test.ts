import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { listTransactions, readAccount } from '../../src/accounts/read-accounts.ts'
import type { BankAnswer } from '../../src/banking/connector.ts'
import { askBank, claimWork, recordClaim, type Claim } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { readBulkStatus } from '../../src/transfers/read-bulk.ts'
import { listTransfers } from '../../src/transfers/read-transfers.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { aBulk, anOrganization, payer } from '../support/builders.ts'
import { createTestContext, type TestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const { db, sql } = database

/** An organization with one accepted bulk, alone in having work that is due. */
async function arrange(change: Parameters<typeof aBulk>[0] = {}) {
  const context = createTestContext(database)
  await sql(`update chunk set due_at = now() + interval '1 year' where due_at is not null`)
  const organizationId = await anOrganization(db)
  const bulk = aBulk(change)
  assert.equal((await submitBulk(context, organizationId, bulk)).outcome, 'accepted')
  const status = async () => {
    const read = await readBulkStatus(db, organizationId, bulk.request_id)
    assert.ok(read)
    return read
  }
  const money = async () => {
    const account = await readAccount(db, organizationId, payer.organization_iban)
    return [account?.balance, account?.reserved]
  }
  const transfers = async () => {
    const query = {
      organization_id: organizationId,
      bulk_id: bulk.request_id,
      first_seq: 0,
      status: null,
      limit: 1000
    }
    return (await listTransfers(db, query)) ?? []
  }
  return { context, organizationId, status, money, transfers }
}

async function claim(context: TestContext): Promise<Claim> {
  const claimed = await claimWork(context, 'test')
  assert.ok(claimed)
  return claimed
}

/** Works until nothing is due, as a worker's lane does. */
async function workOff(context: TestContext): Promise<void> {
  for (let next = await claimWork(context, 'test'); next; next = await claimWork(context, 'test'))
    await executeClaim(context, next)
}

const counts = (status: Awaited<ReturnType<Awaited<ReturnType<typeof arrange>>['status']>>) => [
  status.status,
  status.executed.count,
  status.failed.count,
  status.unknown.count,
  status.pending.count,
  status.processing.count,
  status.cancelled.count
]

/** Makes leases run out, and what waits for its time due. */
const letTimePass = () => sql(`update chunk set due_at = now() where due_at < now() + interval '1 hour'`)

describe('executing a bulk', () => {
  it('pays every transfer once, posts it and closes the bulk', async () => {
    const { context, organizationId, status, money, transfers } = await arrange({
      transfers: 450,
      amount: '1.50'
    })
    await workOff(context)
    const read = await status()
    assert.deepEqual(counts(read), ['COMPLETED', 450, 0, 0, 0, 0, 0])
    assert.deepEqual([read.final, read.progress, read.executed.amount], [true, 1, '675.00'])
    assert.ok(read.completed_at)
    assert.deepEqual(await money(), ['99325.00', '0.00'])
    assert.equal(context.bank.calls.length, 450)
    assert.equal(context.bank.executed.size, 450)
    assert.deepEqual([...new Set((await transfers()).map((transfer) => transfer.status))], ['EXECUTED'])
    const lines = await listTransactions(db, {
      organization_id: organizationId,
      iban: payer.organization_iban,
      before_line_no: null,
      limit: 1000
    })
    assert.deepEqual(
      lines.map(({ line }) => line),
      Array.from({ length: 451 }, (_, index) => 451 - index)
    )
    assert.deepEqual([lines[0]?.kind, lines[0]?.amount, lines[450]?.kind], ['TRANSFER', '-1.50', 'DEPOSIT'])
  })

  it('shows what is claimed as processing, and adds up at every instant', async () => {
    const { context, status, money } = await arrange({ transfers: 250 })
    assert.deepEqual(counts(await status()), ['PENDING', 0, 0, 0, 250, 0, 0])
    const claimed = await claim(context)
    assert.deepEqual(counts(await status()), ['PROCESSING', 0, 0, 0, 50, 200, 0])
    await executeClaim(context, claimed)
    assert.deepEqual(counts(await status()), ['PROCESSING', 200, 0, 0, 50, 0, 0])
    assert.deepEqual(await money(), ['80000.00', '5000.00'])
  })

  it('completes partially: what the bank rejects fails with its code, and its money is free again', async () => {
    const { context, status, money, transfers } = await arrange({ transfers: 3 })
    const rejection: BankAnswer = { outcome: 'rejected', code: 'AC04', message: 'closed account' }
    context.bank.script = ({ reference }) => (reference.endsWith('-1') ? rejection : 'execute')
    await workOff(context)
    assert.deepEqual(counts(await status()), ['PARTIALLY_COMPLETED', 2, 1, 0, 0, 0, 0])
    assert.deepEqual(await money(), ['99800.00', '0.00'])
    const [, failed] = await transfers()
    assert.deepEqual(
      [failed?.status, failed?.failure],
      [
        'FAILED',
        {
          code: 'AC04',
          reason: 'closed account',
          message: 'The account has been closed. Ask the payee for another one.',
          retryable: false
        }
      ]
    )
  })

  it('fails as a whole when nothing could be executed', async () => {
    const { context, status, money } = await arrange({ transfers: 2 })
    context.bank.script = () => ({ outcome: 'rejected', code: 'AC01', message: '' })
    await workOff(context)
    assert.deepEqual(counts(await status()), ['FAILED', 0, 2, 0, 0, 0, 0])
    assert.deepEqual(await money(), ['100000.00', '0.00'])
  })

  it('sends nothing more after a failure when on_failure is stop, and keeps true what was sent', async () => {
    const { context, status, money } = await arrange({ transfers: 500, amount: '1', on_failure: 'stop' })
    context.bank.script = ({ reference }) =>
      reference.endsWith('-7') ? { outcome: 'rejected', code: 'AC01', message: '' } : 'execute'
    await workOff(context)
    assert.deepEqual(counts(await status()), ['PARTIALLY_COMPLETED', 9, 1, 0, 0, 0, 490])
    assert.equal(context.bank.executed.size, 9)
    assert.deepEqual(await money(), ['99991.00', '0.00'])
  })
})

describe('an unknown outcome', () => {
  it('keeps the money reserved, fails nothing and asks for attention', async () => {
    const { context, status, money, transfers } = await arrange({ transfers: 2 })
    context.bank.script = ({ reference }) =>
      reference.endsWith('-1') ? { outcome: 'unknown', cause: 'timeout' } : 'execute'
    await executeClaim(context, await claim(context))
    const read = await status()
    assert.deepEqual(counts(read), ['PROCESSING', 1, 0, 1, 0, 0, 0])
    assert.deepEqual([read.final, read.needs_attention], [false, true])
    assert.deepEqual(await money(), ['99900.00', '100.00'])
    const [, unknown] = await transfers()
    assert.deepEqual(
      [unknown?.status, unknown?.attempts.map(({ status, reason }) => [status, reason])],
      ['UNKNOWN', [['UNKNOWN', 'timeout']]]
    )
  })

  it('ends by an inquiry when the bank had executed it, with one debit', async () => {
    const { context, status, money, transfers } = await arrange({ transfers: 1 })
    context.bank.script = (order, kind) => {
      if (kind === 'inquire') return 'execute'
      context.bank.executed.set(order.reference, order)
      return { outcome: 'unknown', cause: 'timeout' }
    }
    await executeClaim(context, await claim(context))
    await letTimePass()
    await workOff(context)
    assert.deepEqual(counts(await status()), ['COMPLETED', 1, 0, 0, 0, 0, 0])
    assert.deepEqual(await money(), ['99900.00', '0.00'])
    assert.deepEqual(
      context.bank.calls.map(({ kind }) => kind),
      ['submit', 'inquire']
    )
    assert.deepEqual(
      (await transfers())[0]?.attempts.map(({ status }) => status),
      ['UNKNOWN', 'EXECUTED']
    )
  })

  it('goes out again at once, under the same reference, when the bank does not know it', async () => {
    const { context, status } = await arrange({ transfers: 1 })
    let lost = true
    context.bank.script = (_, kind) => {
      if (kind === 'inquire' || !lost) return 'execute'
      lost = false
      return { outcome: 'unknown', cause: 'reset' }
    }
    await executeClaim(context, await claim(context))
    await letTimePass()
    await executeClaim(context, await claim(context))
    assert.deepEqual(counts(await status()), ['COMPLETED', 1, 0, 0, 0, 0, 0])
    assert.deepEqual(
      context.bank.calls.map(({ kind }) => kind),
      ['submit', 'inquire', 'submit']
    )
    assert.equal(new Set(context.bank.calls.map(({ reference }) => reference)).size, 1)
  })

  it('is never cancelled, since a holder that slept may still send it', async () => {
    const { context, status } = await arrange({ transfers: 2, on_failure: 'stop' })
    const sleeper = await claim(context)
    await letTimePass()
    context.bank.script = ({ reference }) =>
      reference.endsWith('-1')
        ? { outcome: 'rejected', code: 'AC04', message: '' }
        : { outcome: 'unknown', cause: 'reset' }
    await executeClaim(context, await claim(context))
    await letTimePass()
    context.bank.script = (_, kind) =>
      kind === 'inquire' ? 'execute' : { outcome: 'not-accepted', cause: 'x' }
    await executeClaim(context, await claim(context))
    assert.deepEqual(counts(await status()), ['PROCESSING', 0, 1, 1, 0, 0, 0])
    context.bank.script = () => 'execute'
    await askBank(context, sleeper)
    await letTimePass()
    await workOff(context)
    assert.deepEqual(counts(await status()), ['PARTIALLY_COMPLETED', 1, 1, 0, 0, 0, 0])
  })

  it('stays unknown when the inquiry itself is refused or lost', async () => {
    const { context, status } = await arrange({ transfers: 1 })
    context.bank.script = (_, kind) =>
      kind === 'submit'
        ? { outcome: 'unknown', cause: 'timeout' }
        : { outcome: 'not-accepted', cause: 'http-503' }
    await executeClaim(context, await claim(context))
    await letTimePass()
    await workOff(context)
    assert.deepEqual(counts(await status()), ['PROCESSING', 0, 0, 1, 0, 0, 0])
  })
})

describe('a refusal before acceptance', () => {
  it('is tried again later, and the attempt is on the transfer', async () => {
    const { context, status, transfers } = await arrange({ transfers: 2 })
    let down = true
    context.bank.script = () => (down ? { outcome: 'not-accepted', cause: 'ECONNREFUSED' } : 'execute')
    await executeClaim(context, await claim(context))
    assert.deepEqual(counts(await status()), ['PROCESSING', 0, 0, 0, 2, 0, 0])
    assert.equal(await claimWork(context, 'too early'), null)
    down = false
    await letTimePass()
    await workOff(context)
    assert.deepEqual(counts(await status()), ['COMPLETED', 2, 0, 0, 0, 0, 0])
    assert.deepEqual(
      (await transfers())[0]?.attempts.map(({ status, reason }) => [status, reason]),
      [
        ['PENDING', 'ECONNREFUSED'],
        ['EXECUTED', null]
      ]
    )
  })
})

describe('a lost lease', () => {
  it('is taken over; what the first holder then records changes nothing', async () => {
    const { context, status, money } = await arrange({ transfers: 10 })
    const dead = await claim(context)
    const late = await askBank(context, dead)
    await letTimePass()
    const heir = await claim(context)
    assert.deepEqual([dead.epochs, heir.epochs], [[1], [2]])
    assert.equal(await recordClaim(context, dead, late), null)
    assert.deepEqual(counts(await status()), ['PROCESSING', 0, 0, 0, 0, 10, 0])
    await executeClaim(context, heir)
    assert.equal(await recordClaim(context, dead, late), null)
    assert.deepEqual(counts(await status()), ['COMPLETED', 10, 0, 0, 0, 0, 0])
    assert.deepEqual(await money(), ['99000.00', '0.00'])
    assert.equal(context.bank.executed.size, 10)
  })

  it('makes nothing pending again that may have been sent', async () => {
    const { context, status, money } = await arrange({ transfers: 1 })
    const dead = await claim(context)
    await askBank(context, dead)
    await letTimePass()
    context.bank.script = () => ({ outcome: 'not-accepted', cause: 'ECONNREFUSED' })
    await executeClaim(context, await claim(context))
    assert.deepEqual(counts(await status()), ['PROCESSING', 0, 0, 1, 0, 0, 0])
    assert.deepEqual(await money(), ['100000.00', '100.00'])
  })

  it('is asked about, not sent again, at a bank that is not idempotent', async () => {
    const { context, status } = await arrange({ transfers: 1 })
    context.bank.abilities.idempotent_submit = false
    const dead = await claim(context)
    await askBank(context, dead)
    await letTimePass()
    await workOff(context)
    assert.deepEqual(
      context.bank.calls.map(({ kind }) => kind),
      ['submit', 'inquire']
    )
    assert.deepEqual(counts(await status()), ['COMPLETED', 1, 0, 0, 0, 0, 0])
  })

  it('is renewed while the bank takes its time', async () => {
    const { context } = await arrange({ transfers: 1 })
    context.settings.LEASE_MS = 90
    const open = 'select epoch, due_at from chunk where worker is not null and due_at is not null'
    const leases = async () => (await sql<{ epoch: number; due_at: Date }>(open))[0]
    const claimed = await claim(context)
    const first = await leases()
    let renewed = first
    context.bank.script = async () => {
      while (renewed?.due_at.getTime() === first?.due_at.getTime()) renewed = await leases()
      return 'execute' as const
    }
    await executeClaim(context, claimed)
    assert.equal(renewed?.epoch, 1)
    assert.ok(first && renewed.due_at > first.due_at)
  })
})
