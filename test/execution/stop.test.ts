import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { cancelBulk } from '../../src/execution/cancel-bulk.ts'
import { askBank, claimWork, recordClaim } from '../../src/execution/execute-claim.ts'
import { receiveNotices, settleNotices } from '../../src/execution/notices.ts'
import { executeClaim, Worker } from '../../src/execution/worker.ts'
import { openDatabase } from '../../src/database/database.ts'
import { placeHold } from '../../src/execution/hold.ts'
import { recordResults } from '../../src/execution/queries.ts'
import type { NamedQuery, Tx } from '../../src/database/statement.ts'
import { anOrganization } from '../support/builders.ts'
import type { TestContext } from '../support/context.ts'
import { claim, createStage, noticeOf, randomFrom, workOff } from './stage.ts'

const stage = await createStage()
const { arrange, letTimePass, prove } = stage

const rejection = { outcome: 'rejected' as const, code: 'AC04', message: 'closed account' }
const timeout = { outcome: 'unknown' as const, cause: 'timeout' }
const placeOf = (reference: string) => Number(reference.split('-')[1])

/** What happened to a bulk, in the order in which it began or was committed. */
type Event = { what: 'submit' | 'answered'; place: number } | { what: 'failure recorded' }

/** Notes every call of the bank and the commit of every statement that records a failure of the bulk. */
function watch(context: TestContext, bulk_no: bigint, events: Event[]): void {
  const { db, bank } = context
  const note = async (tx: Tx, query: NamedQuery) => {
    const answer = await tx.query(query)
    const { name, parameters } = recordResults.definition
    const value = (key: string) => query.values[Object.keys(parameters).indexOf(key)]
    const fails = query.name === name && (value('statuses') as string[]).includes('FAILED')
    if (fails && value('bulk_no') === bulk_no && answer.rows.length > 0)
      events.push({ what: 'failure recorded' })
    return answer
  }
  context.db = Object.create(db, { query: { value: (query: NamedQuery) => note(db, query) } }) as typeof db
  const submit = bank.submit.bind(bank)
  bank.submit = async (order, options) => {
    const place = placeOf(order.reference)
    events.push({ what: 'submit', place })
    const answer = await submit(order, options)
    events.push({ what: 'answered', place })
    return answer
  }
}

/** How many submits began after a failure was recorded, and the most chunks of ten that were out at one time. */
function examine(events: Event[]) {
  const recorded = events.findIndex(({ what }) => what === 'failure recorded')
  const out = new Map<number, number>()
  let mostOut = 0
  for (const event of events) {
    if (event.what === 'failure recorded') continue
    const chunk = Math.floor(event.place / 10)
    out.set(chunk, (out.get(chunk) ?? 0) + (event.what === 'submit' ? 1 : -1))
    mostOut = Math.max(mostOut, [...out.values()].filter((calls) => calls > 0).length)
  }
  const late = events.slice(recorded).filter(({ what }) => what === 'submit').length
  return { recorded: recorded >= 0, late, mostOut }
}

async function bulkNo(): Promise<bigint> {
  const [row] = await stage.sql<{ bulk_no: string }>('select max(bulk_no) as bulk_no from bulk')
  return BigInt(row?.bulk_no ?? 0)
}

describe('four workers on a bulk of on_failure stop', () => {
  for (const seed of [1, 2, 3, 4, 5])
    it(`send nothing once a failure is recorded, and have one chunk out at a time (seed ${seed})`, async () => {
      const random = randomFrom(seed)
      const { context, counts, status } = await arrange(
        { transfers: 300, amount: '1', on_failure: 'stop' },
        { POLL_MS: 10 }
      )
      const failing = Math.floor(random() * 150)
      const events: Event[] = []
      context.bank.script = async ({ reference }) => {
        for (let turns = random() * 30; turns > 0; turns--) await turn()
        return placeOf(reference) === failing ? rejection : 'execute'
      }
      watch(context, await bulkNo(), events)
      const workers = ['a', 'b', 'c', 'd'].map((name) => new Worker(context, name))
      await Promise.all(workers.map((worker) => worker.start()))
      while (!(await status()).final) await turn()
      await Promise.all(workers.map((worker) => worker.stop()))

      assert.deepEqual(examine(events), { recorded: true, late: 0, mostOut: 1 })
      const sent = context.bank.calls.length
      const expected = { executed: sent - 1, failed: 1, cancelled: 300 - sent }
      assert.deepEqual(await counts(), { status: 'PARTIALLY_COMPLETED', ...expected })
      assert.ok(sent > 0 && sent < 300 && sent % 10 === 0, `${sent} were sent`)
    })
})

describe('a failure that comes later', () => {
  it('from an inquiry stops the rest', async () => {
    const { context, counts } = await arrange({ transfers: 300, on_failure: 'stop' })
    const events: Event[] = []
    watch(context, await bulkNo(), events)
    context.bank.script = ({ reference }, kind) =>
      placeOf(reference) === 3 ? (kind === 'submit' ? timeout : rejection) : 'execute'
    await executeClaim(context, await claim(context))
    await executeClaim(context, await claim(context))
    assert.deepEqual(await counts(), { status: 'PROCESSING', executed: 19, pending: 280, unknown: 1 })
    await stage.sql(
      `update chunk set due_at = now() - interval '1 hour' where status = 'UNKNOWN' and due_at is not null`
    )
    await workOff(context)
    assert.deepEqual(examine(events), { recorded: true, late: 0, mostOut: 1 })
    assert.deepEqual(await counts(), {
      status: 'PARTIALLY_COMPLETED',
      executed: 19,
      failed: 1,
      cancelled: 280
    })
  })

  it('from a notice stops the rest', async () => {
    const { context, counts, transfers } = await arrange({ transfers: 300, on_failure: 'stop' })
    const events: Event[] = []
    watch(context, await bulkNo(), events)
    context.bank.script = ({ reference }) => (placeOf(reference) === 3 ? { outcome: 'taken' } : 'execute')
    await executeClaim(context, await claim(context))
    context.bank.script = () => ({ outcome: 'rejected', code: 'AC04', message: '' })
    const notices = [noticeOf((await transfers())[3]!, 'REJECTED')]
    await receiveNotices(context, notices, 'callback')
    await settleNotices(context)
    await stage.sql(
      `update chunk set due_at = now() - interval '1 hour' where status = 'SENT' and due_at is not null`
    )
    await workOff(context)
    assert.deepEqual(examine(events), { recorded: true, late: 0, mostOut: 1 })
    assert.deepEqual(await counts(), {
      status: 'PARTIALLY_COMPLETED',
      executed: 9,
      failed: 1,
      cancelled: 290
    })
  })

  it('beside one that the bank never received stops it too, at a bank that is not idempotent', async () => {
    const { context, counts } = await arrange({ transfers: 20, on_failure: 'stop' })
    Object.assign(context.bank.abilities, { idempotent_submit: false, settlement_window_ms: -1 })
    context.bank.script = ({ reference }, kind) => {
      if (kind === 'submit') return timeout
      return placeOf(reference) === 3 ? rejection : { outcome: 'not-found' }
    }
    await executeClaim(context, await claim(context))
    await letTimePass()
    await stage.sql(
      `update chunk set due_at = now() - interval '1 hour' where status = 'UNKNOWN' and due_at is not null`
    )
    await executeClaim(context, await claim(context))
    assert.deepEqual(await counts(), { status: 'FAILED', failed: 1, cancelled: 19 })
    assert.equal(context.bank.calls.filter(({ kind }) => kind === 'submit').length, 10)
  })
})

describe('what may have been sent when its bulk stops', () => {
  const bankThatKnowsNothing = (context: TestContext): void => {
    context.bank.script = ({ reference }, kind) => {
      if (kind === 'submit') return timeout
      return placeOf(reference) === 3 ? rejection : { outcome: 'not-found' }
    }
  }
  const submits = ({ bank }: TestContext) => bank.calls.filter(({ kind }) => kind === 'submit').length

  it('and that the bank does not know is not sent again, and is cancelled when it surely never will', async () => {
    const { context, counts } = await arrange({ transfers: 20, on_failure: 'stop' })
    bankThatKnowsNothing(context)
    await executeClaim(context, await claim(context))
    await letTimePass()
    await stage.sql(
      `update chunk set due_at = now() - interval '1 hour' where status = 'UNKNOWN' and due_at < now() + interval '1 day'`
    )
    await executeClaim(context, await claim(context))
    const sent = submits(context)
    const expected = { status: 'PROCESSING', unknown: 9, failed: 1, cancelled: 10 }
    assert.deepEqual(await counts(), expected)
    await letTimePass()
    await workOff(context)
    assert.deepEqual([await counts(), submits(context)], [expected, sent])
    context.bank.abilities.settlement_window_ms = -100_000
    await letTimePass()
    await workOff(context)
    assert.deepEqual(
      [await counts(), submits(context)],
      [{ status: 'FAILED', failed: 1, cancelled: 19 }, sent]
    )
  })

  it('counts its window from when whoever had it was done with it, and not from before', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 10 })
    bankThatKnowsNothing(context)
    await executeClaim(context, await claim(context))
    await cancelBulk(context, organizationId, bulk_id)
    context.bank.abilities.settlement_window_ms = -1
    await letTimePass()
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'PROCESSING', unknown: 9, failed: 1 })
    await letTimePass()
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'FAILED', failed: 1, cancelled: 9 })
    assert.equal(submits(context), 10)
  })

  it('ends also when it is held', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 10 })
    bankThatKnowsNothing(context)
    await executeClaim(context, await claim(context))
    await cancelBulk(context, organizationId, bulk_id)
    const held = { organization_id: organizationId, account_id: null, bulk_no: null }
    await placeHold(stage.db, held, { actor: 'operator:test', reason: 'a look' })
    context.bank.abilities.settlement_window_ms = -1
    for (const expected of [
      { status: 'PROCESSING', unknown: 9, failed: 1 },
      { status: 'FAILED', failed: 1, cancelled: 9 }
    ]) {
      await letTimePass()
      await workOff(context)
      assert.deepEqual(await counts(), expected)
    }
    assert.equal(submits(context), 10)
  })

  it('is asked about when its holder died', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 10 })
    const dead = await claim(context)
    bankThatKnowsNothing(context)
    await askBank(context, dead)
    await cancelBulk(context, organizationId, bulk_id)
    await letTimePass()
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'PROCESSING', unknown: 9, failed: 1 })
    assert.equal(submits(context), 10)
  })
})

describe('the one chunk that is out', () => {
  it('is the next of the list, wherever it lies on disk and however the database looks for it', async (t) => {
    const { context } = await arrange({ transfers: 30, on_failure: 'stop' })
    for (const shift of ['1 second', '-1 second'])
      await stage.sql(
        "update chunk set due_at = due_at + $1::interval where due_at < now() + '1 hour' and chunk_no < 2",
        [shift]
      )
    const ways = [
      ['enable_sort=off', 0],
      ['enable_indexscan=off', 1]
    ] as const
    for (const [option, place] of ways) {
      const url = new URL(stage.database.url)
      url.searchParams.append('options', `-c ${option}`)
      const db = openDatabase({ url: url.href, maxConnections: 1, applicationName: 'bulkhead-test' })
      t.after(() => db.close())
      const next = await claim({ ...context, db })
      assert.deepEqual(next.chunk_nos, [place])
      await executeClaim(context, next)
    }
  })

  it('is taken over when its lease ran out, and its failure stops the rest', async () => {
    const { context, counts } = await arrange({ transfers: 300, on_failure: 'stop' })
    const dead = await claim(context)
    assert.equal(await claimWork(context, 'other'), null)
    context.bank.script = ({ reference }) => (placeOf(reference) === 3 ? rejection : 'execute')
    const late = await askBank(context, dead)
    const events: Event[] = []
    watch(context, dead.bulk_no, events)
    await letTimePass()
    const heir = await claim(context)
    assert.deepEqual([heir.chunk_nos, heir.epochs], [dead.chunk_nos, [2]])
    assert.equal(await claimWork(context, 'other'), null)
    await executeClaim(context, heir)
    assert.equal(await recordClaim(context, dead, late), null)
    await workOff(context)
    assert.deepEqual(examine(events), { recorded: true, late: 0, mostOut: 1 })
    assert.deepEqual(await counts(), {
      status: 'PARTIALLY_COMPLETED',
      executed: 9,
      failed: 1,
      cancelled: 290
    })
  })

  it('does not block its bulk for ever when its worker died', async () => {
    const { context, counts } = await arrange({ transfers: 30, on_failure: 'stop' })
    await claim(context)
    await letTimePass()
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 30 })
    assert.equal(context.bank.executed.size, 30)
  })

  it('blocks no other bulk of the organization, nor another organization', async () => {
    const { context, organizationId, counts } = await arrange({ transfers: 30, on_failure: 'stop' })
    const held = await claim(context)
    const beside = await stage.submit(context, organizationId, { transfers: 20, on_failure: 'stop' })
    const elsewhere = await stage.submit(context, await anOrganization(stage.db), { transfers: 200 })
    await workOff(context)
    assert.deepEqual(await beside.counts(), { status: 'COMPLETED', executed: 20 })
    assert.deepEqual(await elsewhere.counts(), { status: 'COMPLETED', executed: 200 })
    assert.deepEqual(await counts(), { status: 'PROCESSING', processing: 10, pending: 20 })
    await executeClaim(context, held)
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 30 })
  })

  it('whoever loses the race for it finds other work that is due', async () => {
    for (let round = 0; round < 10; round++) {
      const { context, organizationId } = await arrange({ transfers: 60, on_failure: 'stop' })
      for (let bulks = 0; bulks < 3; bulks++) await stage.submit(context, organizationId, { transfers: 1 })
      const claims = await Promise.all(['a', 'b', 'c', 'd'].map((name) => claimWork(context, name)))
      const bulks = new Set(claims.map((claimed) => claimed?.bulk_no))
      assert.deepEqual([bulks.size, bulks.has(undefined)], [4, false])
      for (const claimed of claims) if (claimed) await executeClaim(context, claimed)
    }
  })
})

it('none of this breaks an invariant', prove)
