import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { listTransactions, readAccount } from '../../src/accounts/read-accounts.ts'
import { askBank, claimWork, recordClaim, type Claim } from '../../src/execution/execute-claim.ts'
import { readBulkStatus } from '../../src/transfers/read-bulk.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { aBulk, anOrganization, payer } from '../support/builders.ts'
import { createTestContext, type TestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const { db, sql } = database

/** The same numbers for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Run {
  context: TestContext
  organizationId: number
  random: () => number
  submissions: number
  slept: number
  lost: number
  errors: unknown[]
}

/**
 * Claims, asks and records as one worker, until none of the bulks is open. A sleepy one loses a lease now and then,
 * the first of them its first, before any other worker claims: no run is without.
 */
async function work(run: Run, worker: string, sleepy: boolean): Promise<void> {
  const { context, random } = run
  while (await isOpen(run)) {
    if (!sleepy && run.slept === 0) continue
    const claim = await claimWork(context, worker)
    if (claim === null) continue
    const sleeps = sleepy && (run.slept === 0 || random() < 0.2)
    if (sleeps) run.slept += 1
    const results = await askBank(context, claim)
    if (sleeps) await untilTakenOver(run, claim)
    const recorded = await recordClaim(context, claim, results)
    if (recorded === null) run.lost += 1
    else assert.ok(!sleeps || run.errors.length > 0, 'recorded what another worker had taken over')
  }
}

async function untilTakenOver(run: Run, claim: Claim): Promise<void> {
  const held = `select from chunk join unnest($3::int4[], $4::int4[]) as held (chunk_no, epoch) using (chunk_no, epoch)
                where (organization_id, bulk_no) = ($1, $2) and due_at is not null`
  const lease = [claim.organization_id, claim.bulk_no, claim.chunk_nos, claim.epochs]
  while (run.errors.length === 0 && (await sql(held, lease)).length > 0) await turn()
}

/** Whether there is work to come; nobody goes on after an error. */
async function isOpen({ organizationId, submissions, errors }: Run): Promise<boolean> {
  const [row] = await sql<{ ended: number }>(
    'select count(completed_at)::int as ended from bulk where organization_id = $1',
    [organizationId]
  )
  return errors.length === 0 && row?.ended !== submissions
}

/** Ends leases of workers that live, one chunk at a time, so that it holds no two locks itself. */
async function takeLeasesAway(run: Run): Promise<void> {
  while (await isOpen(run))
    await sql(
      `update chunk set due_at = now() where (organization_id, bulk_no, chunk_no) in
         (select organization_id, bulk_no, chunk_no from chunk
          where due_at is not null and organization_id = $1 order by hashint4(chunk_no # $2) limit 1)
       and due_at is not null`,
      [run.organizationId, Math.floor(run.random() * 2 ** 30)]
    )
}

for (const seed of [1, 2, 3])
  it(`six workers on one account never deadlock, pay twice or lose a line (seed ${seed})`, async () => {
    const random = randomFrom(seed)
    const context = createTestContext(database, { CHUNK_SIZE: 30, LEASE_MS: 15 })
    const organizationId = await anOrganization(db, { funds_minor: 10_000_00n })
    const errors: unknown[] = []
    // A renewal that fails is only warned of, as is a lease that was lost in part, which is what happens here.
    context.log.warn = (about: object) => {
      if ('err' in about) errors.push(about)
    }
    context.bank.script = async () => {
      // A bank that takes some turns of the event loop, so that leases are renewed, and lost, while it is asked.
      for (let turns = random() * 40; turns > 0; turns--) await turn()
      return 'execute' as const
    }
    const bulks = Array.from({ length: 5 }, () => aBulk({ transfers: 300, amount: '0.50' }))
    const run: Run = { context, organizationId, random, submissions: bulks.length, slept: 0, lost: 0, errors }

    const parts = [
      ...bulks.map((bulk) => submitBulk(context, organizationId, bulk)),
      ...['a', 'b', 'c', 'd', 'e', 'f'].map((worker, nr) => work(run, worker, nr < 3)),
      takeLeasesAway(run)
    ]
    await Promise.all(
      parts.map((part: Promise<unknown>) => part.catch((error: unknown) => errors.push(error)))
    )

    assert.deepEqual(errors, [])
    for (const bulk of bulks) {
      const status = await readBulkStatus(db, organizationId, bulk.request_id)
      assert.deepEqual([status?.status, status?.executed.count], ['COMPLETED', 300])
    }
    const account = await readAccount(db, organizationId, payer.organization_iban)
    assert.deepEqual([account?.balance, account?.reserved], ['9250.00', '0.00'])
    assert.equal(context.bank.executed.size, 1500)
    assert.deepEqual(
      await statementLines(organizationId),
      Array.from({ length: 1501 }, (_, line) => 1501 - line)
    )
    assert.ok(run.lost > 0, `${run.slept} slept, and none lost its lease`)
  })

async function statementLines(organization_id: number): Promise<number[]> {
  const lines: number[] = []
  for (let before_line_no: bigint | null = null; ; before_line_no = BigInt(lines.at(-1) ?? 0)) {
    const query = { organization_id, iban: payer.organization_iban, before_line_no, limit: 1000 }
    const page = await listTransactions(db, query)
    if (page.length === 0) return lines
    lines.push(...page.map(({ line }) => line))
  }
}
