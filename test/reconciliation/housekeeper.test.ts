import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pass } from 'node:timers/promises'
import type { StatementPage } from '../../src/banking/connector.ts'
import { Housekeeper } from '../../src/reconciliation/housekeeper.ts'
import type { Settings } from '../../src/settings.ts'
import { showStatement } from '../support/bank-statement.ts'
import { patienceMs } from '../support/patience.ts'
import { makeLedger, tellByCallback } from './ledger.ts'

const never = { RECONCILE_EVERY_MS: 0, SWEEP_EVERY_MS: 0, AUDIT_EVERY_MS: 0 }
const hour = 3_600_000

interface JobRow {
  name: string
  result: string | null
  due_in_s: number
  state: object
}

async function arrange(settings: Partial<Settings>) {
  const ledger = await makeLedger({ POLL_MS: 5, ...never, ...settings })
  const errors: unknown[] = []
  ledger.context.log.error = ({ err }: { err: unknown }) => void errors.push(err)
  const keep = () => {
    const housekeeper = new Housekeeper(ledger.context, { payments: noPayments })
    housekeeper.start()
    return housekeeper
  }
  const jobs = () =>
    ledger.database.sql<JobRow>(
      `select name, result, round(extract(epoch from due_at - coalesce(done_at, now())))::int as due_in_s, state
       from job order by name`
    )
  return { ledger, errors, keep, jobs }
}

async function* noPayments() {
  await Promise.resolve()
  yield* []
}

/** Looks until it is so: what a housekeeper does shows in the database only. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + patienceMs
  while (!(await isSo())) {
    assert.ok(Date.now() < giveUpAt, 'it never came to be so')
    await pass(5)
  }
}

const emptyPage: StatementPage = { outcome: 'page', entries: [], next_cursor: '0', has_more: false }

describe('the housekeeper', () => {
  it('does each job, and again when its time has come', async () => {
    const { ledger, errors, keep, jobs } = await arrange({
      RECONCILE_EVERY_MS: hour,
      SWEEP_EVERY_MS: 2 * hour,
      AUDIT_EVERY_MS: 3 * hour
    })
    const statement = showStatement(ledger.context.bank, [])
    const housekeeper = keep()
    const done = async () => (await jobs()).filter(({ result }) => result !== null)
    await until(async () => (await done()).length === 3)
    const rows = await jobs()
    assert.deepEqual(
      rows.map(({ name, result, due_in_s }) => [name, result?.replace(/\d+ ms/, 'some ms'), due_in_s]),
      [
        ['audit', '0 violations in 0 transfers, some ms', 10_800],
        ['reconcile', '0 lines compared, 0 transfers missing', 3_600],
        ['sweep', '0 bulks overdue, 0 reserves orphaned', 7_200]
      ]
    )
    await ledger.database.sql(`update job set due_at = now() where name = 'reconcile'`)
    await until(() => statement.reads.length > 1)
    await housekeeper.stop()
    assert.deepEqual(statement.reads, [null, '0'])
    assert.deepEqual(errors, [])
  })

  it('is one of two that does a job at a time', async () => {
    const { ledger, errors, keep } = await arrange({ RECONCILE_EVERY_MS: 1 })
    let [atOnce, most, reads] = [0, 0, 0]
    ledger.context.bank.readStatement = async () => {
      atOnce += 1
      most = Math.max(most, atOnce)
      await pass(20)
      atOnce -= 1
      reads += 1
      return emptyPage
    }
    const two = [keep(), keep()]
    await until(() => reads >= 10)
    await Promise.all(two.map((housekeeper) => housekeeper.stop()))
    assert.equal(most, 1)
    assert.deepEqual(errors, [])
  })

  it('takes over what another died over, from where it had come, when its lease has ended', async () => {
    const { ledger, keep, jobs } = await arrange({ RECONCILE_EVERY_MS: hour, SWEEP_EVERY_MS: 1 })
    const reference = await ledger.submit({ transfers: 3 })
    await ledger.work()
    const lines = [0, 1, 2].map((seq) => ({ reference: reference(seq) }))
    const statement = showStatement(ledger.context.bank, lines, 1)
    const { bank } = ledger.context
    const read = bank.readStatement.bind(bank)
    bank.readStatement = (cursor) => (cursor === '1' ? new Promise(() => undefined) : read(cursor))
    keep()
    await until(async () => (await jobs()).some(({ result }) => result === '1 lines compared'))
    const [left] = await jobs()
    assert.deepEqual(left?.state, {
      cursor: '1',
      compared_until: '1970-01-01T00:00:00.000Z',
      not_shown_since: null
    })

    bank.readStatement = read
    const next = keep()
    await until(async () => (await jobs()).some(({ name, result }) => name === 'sweep' && result !== null))
    assert.deepEqual(statement.reads, [null])
    await ledger.database.sql(`update job set due_at = now() where name = 'reconcile'`)
    await until(() => statement.reads.length === 3)
    await next.stop()
    assert.deepEqual(statement.reads, [null, '1', '2'])
  })

  it('goes on with the other jobs when one fails', async () => {
    const { ledger, errors, keep, jobs } = await arrange({
      RECONCILE_EVERY_MS: 1,
      SWEEP_EVERY_MS: 1,
      AUDIT_EVERY_MS: 1
    })
    ledger.context.bank.readStatement = () => Promise.reject(new Error('a bug'))
    const housekeeper = keep()
    await until(async () => errors.length > 1 && (await jobs()).every(({ result }) => result !== null))
    await housekeeper.stop()
    assert.deepEqual(new Set(errors.map((error) => (error as Error).message)), new Set(['a bug']))
    assert.deepEqual(
      (await jobs()).filter(({ result }) => result?.startsWith('failed')).map(({ name }) => name),
      ['reconcile']
    )
  })

  it('does its jobs also when what the bank told cannot be settled', async () => {
    const { ledger, errors, keep, jobs } = await arrange({ SWEEP_EVERY_MS: 1 })
    await ledger.database.sql('alter table notice rename to notice_away')
    const housekeeper = keep()
    await until(async () => errors.length > 0 && (await jobs()).some(({ result }) => result !== null))
    await housekeeper.stop()
    assert.match(String(errors[0]), /relation "notice" does not exist/)
  })

  it('settles what the bank told', async () => {
    const { ledger, keep } = await arrange({})
    const reference = await ledger.submit({ transfers: 1 })
    await ledger.work()
    await tellByCallback(ledger, { reference: reference(0), status: 'RETURNED', amount: '25.00' })
    const housekeeper = keep()
    await until(async () => (await ledger.ends())[0] === 'EXECUTED -100 25')
    await housekeeper.stop()
    assert.deepEqual(await ledger.violations(), [])
  })

  it('has no job that is switched off', async () => {
    const { ledger, keep, jobs } = await arrange({ SWEEP_EVERY_MS: 1 })
    const statement = showStatement(ledger.context.bank, [])
    const housekeeper = keep()
    await until(async () => (await jobs()).some(({ result }) => result !== null))
    await housekeeper.stop()
    assert.deepEqual(
      (await jobs()).map(({ name }) => name),
      ['sweep']
    )
    assert.deepEqual(statement.reads, [])
  })

  it('stops at once while it has nothing to do', async () => {
    const { keep, jobs } = await arrange({ POLL_MS: 60_000, SWEEP_EVERY_MS: hour })
    const housekeeper = keep()
    await until(async () => (await jobs()).some(({ result }) => result !== null))
    const startedAt = performance.now()
    await housekeeper.stop()
    assert.ok(performance.now() - startedAt < 30_000)
  })

  it('stops after a page of a statement without an end, and keeps its place', async () => {
    const { ledger, keep, jobs } = await arrange({ RECONCILE_EVERY_MS: hour })
    let pages = 0
    ledger.context.bank.readStatement = async () => {
      await pass(1)
      pages += 1
      return { ...emptyPage, next_cursor: `${pages}`, has_more: true }
    }
    const housekeeper = keep()
    await until(() => pages > 5)
    await housekeeper.stop()
    const [job] = await jobs()
    assert.equal(job?.result, '0 lines compared, to be continued')
    assert.deepEqual(job.state, {
      cursor: `${pages}`,
      compared_until: '1970-01-01T00:00:00.000Z',
      not_shown_since: null
    })
  })
})
