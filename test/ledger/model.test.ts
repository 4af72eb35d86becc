import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { openAccount } from '../../src/accounts/open-account.ts'
import { formatAmount } from '../../src/domain/money.ts'
import { claimWork, recordClaim } from '../../src/execution/execute-claim.ts'
import { isFresh } from '../../src/execution/interpret-answer.ts'
import { cancelBulk } from '../../src/execution/cancel-bulk.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { verify } from '../../src/verification/verify.ts'
import { aBulk, anOrganization, aTransfer, payer } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { logOf } from '../support/scripted-bank.ts'
import * as ledger from './model.ts'
import type { Model } from './model.ts'
import { ask, compare, hour, ibans, type Real, type Wish } from './world.ts'

const database = await createTestDatabase()
const { db, sql } = database
const context = createTestContext(database, { CHUNK_SIZE: 2, LEASE_MS: 600_000 })

abstract class Command implements fc.AsyncCommand<Model, Real> {
  check: (model: Readonly<Model>) => boolean = () => true
  abstract act(model: Model, real: Real): Promise<void>
  async run(model: Model, real: Real): Promise<void> {
    await this.act(model, real)
    await compare(model, real)
  }
  abstract toString(): string
}

class Submit extends Command {
  amounts: bigint[]
  account: number
  stop: boolean
  constructor(amounts: bigint[], account: number, stop: boolean) {
    super()
    this.amounts = amounts
    this.account = account
    this.stop = stop
  }
  async act(model: Model, real: Real) {
    const bulk = aBulk({
      organization_iban: ibans[this.account]!,
      on_failure: this.stop ? 'stop' : 'continue',
      credit_transfers: this.amounts.map((amount) => aTransfer({ amount: formatAmount(amount, 'EUR') }))
    })
    const submission = await submitBulk(context, real.organization_id, bulk)
    const accepted = submission.outcome === 'accepted'
    if (submission.outcome === 'refused')
      assert.equal(submission.problem.reason, 'insufficient-account-balance')
    const [row] = await sql<{ bulk_no: string }>('select bulk_no from bulk where request_id = $1', [
      bulk.request_id
    ])
    assert.equal(row !== undefined, accepted)
    const { account, stop } = this
    ledger.submit(
      model,
      row ? BigInt(row.bulk_no) : null,
      { request_id: bulk.request_id, account, stop },
      this.amounts
    )
  }
  toString = () => `submit(${this.account}, [${this.amounts.join(', ')}]${this.stop ? ', stop' : ''})`
}

class ClaimWork extends Command {
  async act(model: Model, real: Real) {
    const claim = await claimWork(context, 'model')
    const due = ledger.isWorkDue(model)
    assert.equal(claim !== null, due, 'something is claimed exactly when something is due')
    if (claim === null) return
    const bulk = model.bulks.get(claim.bulk_no)
    assert.ok(bulk)
    for (const row of claim.transfers) {
      assert.equal(row.stopped_ms !== null, bulk.stopped)
      assert.equal(row.amount_minor, bulk.transfers[row.seq]?.amount)
    }
    const rows = claim.transfers.map((row) => ({ seq: row.seq, status: row.status, fresh: isFresh(row) }))
    ledger.claim(model, claim.bulk_no, rows)
    real.claims.push({ claim, results: [] })
  }
  toString = () => 'claim'
}

/** The bank answers a claim, once, and maybe long after its lease ran out and others recorded it: its holder slept. */
class Answer extends Command {
  pick: number
  wishes: Wish[]
  constructor(pick: number, wishes: Wish[]) {
    super()
    this.pick = pick
    this.wishes = wishes
  }
  override check = (model: Readonly<Model>) => model.claims.some(({ answered }) => !answered)
  async act(model: Model, real: Real) {
    const nr = pickClaim(model, false, this.pick)
    const { claim } = real.claims[nr]!
    const { results, states } = await ask(real, claim, this.wishes)
    assert.deepEqual(
      results.map(({ status }) => status),
      states
    )
    real.claims[nr] = { claim, results }
    model.claims[nr]!.answered = true
  }
  toString = () => `answer(${this.pick}, ${this.wishes.join(' ')})`
}

/** Any claim that was answered, be it held, lost or recorded long ago. */
class Record extends Command {
  pick: number
  constructor(pick: number) {
    super()
    this.pick = pick
  }
  override check = (model: Readonly<Model>) => model.claims.some(({ answered }) => answered)
  async act(model: Model, real: Real) {
    const nr = pickClaim(model, true, this.pick)
    const { claim, results } = real.claims[nr]!
    const status = await recordClaim(context, claim, results)
    const held = ledger.record(
      model,
      nr,
      results.map((result) => result.status)
    )
    assert.equal(status !== null, held, 'a holder records, a stale one changes nothing')
  }
  toString = () => `record(${this.pick})`
}

class Cancel extends Command {
  pick: number
  constructor(pick: number) {
    super()
    this.pick = pick
  }
  override check = (model: Readonly<Model>) => model.bulks.size > 0
  async act(model: Model, real: Real) {
    const bulk = [...model.bulks.values()].at(-1 - (this.pick % model.bulks.size))
    assert.ok(bulk)
    const cancellable = bulk.stopped || bulk.transfers.some(ledger.isOpen)
    const amounts = ledger.stop(model, bulk)
    const cancelled = await cancelBulk(context, real.organization_id, bulk.request_id)
    assert.equal(cancelled.outcome, cancellable ? 'stopped' : 'not-cancellable')
    if (cancelled.outcome === 'stopped')
      assert.deepEqual(cancelled.cancelled_now, {
        count: amounts.length,
        amount: formatAmount(ledger.sum(amounts), 'EUR')
      })
  }
  toString = () => `cancel(${this.pick})`
}

class LeasesRunOut extends Command {
  async act(model: Model, real: Real) {
    await sql(
      'update chunk set due_at = now() where organization_id = $1 and due_at is not null and worker is not null',
      [real.organization_id]
    )
    for (const transfer of ledger.allTransfers(model)) if (transfer.holder !== null) transfer.due = true
  }
  toString = () => 'leases run out'
}

class TimePasses extends Command {
  async act(model: Model, real: Real) {
    await sql(
      'update chunk set due_at = now() where organization_id = $1 and due_at is not null and worker is null',
      [real.organization_id]
    )
    for (const transfer of ledger.allTransfers(model))
      if (transfer.holder === null && ledger.isOpen(transfer)) transfer.due = true
  }
  toString = () => 'time passes'
}

/** Pick 0 is the latest claim. */
function pickClaim(model: Model, answered: boolean, pick: number): number {
  const fitting = model.claims.flatMap((claim, nr) => (claim.answered === answered ? [nr] : []))
  return fitting[fitting.length - 1 - (pick % fitting.length)]!
}

/**
 * The bank recovers, and every window is over: everything becomes final, and every transfer is what the bank says of it.
 */
async function drain(model: Model, real: Real): Promise<void> {
  const { abilities } = context.bank
  const { settlement_window_ms } = abilities
  abilities.settlement_window_ms = -hour
  const honest = new Answer(0, ['executed'])
  const rest = [new LeasesRunOut(), new TimePasses()]
  while (ledger.allTransfers(model).some(ledger.isOpen)) {
    for (const step of rest) await step.act(model, real)
    while (ledger.isWorkDue(model)) {
      await new ClaimWork().act(model, real)
      await honest.act(model, real)
      await new Record(0).act(model, real)
    }
  }
  abilities.settlement_window_ms = settlement_window_ms
  await compare(model, real)
  const rows = await sql<{ reference: string; status: string }>(
    `select bulk_reference || '-' || seq as reference, outcome.status from outcome
     join bulk using (organization_id, bulk_no) where organization_id = $1`,
    [real.organization_id]
  )
  assert.equal(rows.length, ledger.allTransfers(model).length)
  for (const { reference, status } of rows)
    assert.equal(
      real.book.get(reference),
      { EXECUTED: 'executed', FAILED: 'rejected', CANCELLED: undefined }[status],
      reference
    )
}

const wish = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Wish>('executed') },
  { weight: 5, arbitrary: fc.constantFrom<Wish>('rejected', 'taken', 'unknown', 'lost', 'not-accepted') }
)
const amounts = fc.array(fc.bigInt({ min: 1n, max: 300_00n }), { minLength: 1, maxLength: 6 })
const submission = fc
  .tuple(amounts, fc.nat({ max: 1 }), fc.boolean())
  .map(([amounts, account, stop]) => new Submit(amounts, account, stop))
const claim = fc.constant(new ClaimWork())
const answer = fc
  .tuple(fc.nat({ max: 2 }), fc.array(wish, { minLength: 1, maxLength: 4 }))
  .map(([pick, wishes]) => new Answer(pick, wishes))
const record = fc.nat({ max: 2 }).map((pick) => new Record(pick))
const cancel = fc.nat({ max: 2 }).map((pick) => new Cancel(pick))
const leasesRunOut = fc.constant(new LeasesRunOut())
const timePasses = fc.constant(new TimePasses())
// Each is drawn as often as it stands here.
const commands = fc.commands(
  [
    submission,
    claim,
    claim,
    answer,
    answer,
    record,
    record,
    record,
    cancel,
    leasesRunOut,
    timePasses,
    timePasses
  ],
  { maxCommands: 100, size: 'max' }
)

/** An organization with two accounts, alone in having work that is due. */
async function setup(): Promise<{ model: Model; real: Real }> {
  await sql(`update chunk set due_at = now() + interval '1 year' where due_at is not null`)
  const organization_id = await anOrganization(db, { funds_minor: 2_000_00n })
  await openAccount(db, {
    organization_id,
    iban: ibans[1]!,
    bic: payer.organization_bic,
    currency: 'EUR',
    opening_minor: 700_00n
  })
  return {
    model: {
      accounts: [2_000_00n, 700_00n].map((balance) => ({ balance, reserved: 0n, lines: 1 })),
      bulks: new Map(),
      claims: []
    },
    real: { database, context, organization_id, claims: [], book: new Map(), versions: new Map() }
  }
}

it('the ledger is what plain arithmetic says, whatever the bank, the clock and the workers do', async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (sequence) => {
      const { model, real } = await setup()
      await fc.asyncModelRun(() => ({ model, real }), sequence)
      await drain(model, real)
    }),
    { numRuns: Number(process.env['MODEL_RUNS'] ?? 60) }
  )
  const { violations } = await verify(db, {
    async *payments() {
      await Promise.resolve()
      yield* logOf(context.bank)
    }
  })
  assert.deepEqual(violations, [])
})
