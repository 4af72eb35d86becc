import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { findScenario, scenarios } from '../../src/sandbox-bank/scenarios.ts'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'
import { aBulk, aTransfer, payer } from '../support/builders.ts'
import type { Answer } from '../support/api.ts'
import type { StubbornClient } from '../support/stubborn-client.ts'

/** A bulk that the client was told it has, and how it asked for it. */
export interface Accepted {
  bulk: BulkRequest
  request: { path: string; body: unknown }
  answer: unknown
}

/** What a client has done and was told; the end is checked against it. */
export interface Story {
  accepted: Accepted[]
  /** Ids of bulks that must not be there. */
  refused: string[]
  retried: { parent_id: string; child_id: string }[]
}

export function newStory(): Story {
  return { accepted: [], refused: [], retried: [] }
}

type Step = (client: StubbornClient, story: Story) => Promise<void>

/**
 * What a client does, in this order and then once more, so that whatever is reached is reached twice. To reach
 * something new, add a step here, or a payee below: every statement, call and commit on the way is a point by itself.
 */
const steps: Step[] = [
  async function lookAround(client) {
    for (const path of ['/health/ready', '/accounts', `/accounts/${payer.organization_iban}`, '/incidents'])
      assert.equal((await client.get(path)).status, 200, path)
    assert.equal((await client.get('/accounts/FR0000000000000000000000000')).status, 404)
  },
  async function tryDry(client, story) {
    const bulk = aBulk()
    assert.equal((await client.post('/transfers/bulk?dry_run=true', bulk)).status, 200)
    story.refused.push(bulk.request_id)
  },
  async function payEverybody(client, story) {
    await submit(
      client,
      story,
      aBulk({ credit_transfers: payees.map((payee) => aTransfer({ amount: '10.00', ...payee })) })
    )
  },
  async function cancelWhatIsPartlySent(client, story) {
    // One chunk of a bulk that stops is out at a time, and the bank is silent about its first transfer.
    const bulk = aBulk({
      on_failure: 'stop',
      label: cancelled,
      credit_transfers: severalTo('timeout-then-executed')
    })
    await submit(client, story, bulk)
    const path = `/transfers/bulk/${bulk.request_id}`
    await untilStatus(client, path, ({ pending }) => pending.count < bulk.credit_transfers.length)
    for (let time = 0; time < 2; time++)
      // After a crash it may have ended before the client comes to it.
      assert.ok([200, 409].includes((await client.post(`${path}/cancel`, {})).status))
  },
  async function payUntilTheFirstFailure(client, story) {
    await submit(client, story, aBulk({ on_failure: 'stop', credit_transfers: severalTo('reject-AC04') }))
  },
  async function retryWhatFailed(client, story) {
    const { bulk: parent } = story.accepted.at(-1)!
    const path = `/transfers/bulk/${parent.request_id}`
    await untilStatus(client, path, ({ failed }) => failed.count > 0)
    const [failed] = parent.credit_transfers
    const bulk: BulkRequest = { ...parent, request_id: randomUUID(), credit_transfers: [failed!] }
    const { request_id } = bulk
    await submit(client, story, bulk, { path: `${path}/retry-failed`, body: { request_id } })
    story.retried.push({ parent_id: parent.request_id, child_id: request_id })
    expectRefusal(await client.post(`${path}/retry-failed`, { request_id: randomUUID() }), 'nothing-to-retry')
  },
  async function sendTheSameAgain(client, story) {
    for (const { request, answer } of story.accepted.slice(-2)) {
      const again = await client.post(request.path, request.body)
      assert.equal(again.headers.get('idempotent-replayed'), 'true')
      assert.deepEqual(again.body, answer)
    }
  },
  async function useAnIdAgain(client, story) {
    const { request_id } = story.accepted.at(-1)!.bulk
    expectRefusal(await client.post('/transfers/bulk', aBulk({ request_id })), 'already-processed')
  },
  async function askForTooMuch(client, story) {
    await beRefused(client, story, aBulk({ amount: '100000.01' }), 'insufficient-account-balance')
  },
  async function payFromNowhere(client, story) {
    const bulk = aBulk({ organization_iban: 'FR7612345987650123456789014' })
    await beRefused(client, story, bulk, 'unknown-account')
  },
  async function payNobody(client, story) {
    await beRefused(client, story, aBulk({ credit_transfers: [] }), 'empty-bulk')
  },
  async function lookAtBulks(client, story) {
    const bulk = `/transfers/bulk/${story.accepted.at(-1)!.bulk.request_id}`
    for (const path of [bulk, `${bulk}/status`, `${bulk}/transfers?limit=5`])
      assert.equal((await client.get(path)).status, 200, path)
    const nowhere = `/transfers/bulk/${story.refused.at(-1)!}`
    for (const path of [nowhere, `${nowhere}/status`, `${nowhere}/transfers`])
      assert.equal((await client.get(path)).status, 404, path)
  },
  async function lookAtTransfers(client, story) {
    const { request_id } = story.accepted.at(-1)!.bulk
    const listed = await client.get(`/transfers/bulk/${request_id}/transfers?limit=1`)
    const [{ transfer_id }] = (listed.body as { data: [{ transfer_id: string }] }).data
    assert.equal((await client.get(`/transfers/${transfer_id}`)).status, 200)
    assert.equal((await client.get(`/accounts/${payer.organization_iban}/transactions`)).status, 200)
  }
]

export async function runSteps(client: StubbornClient, story: Story): Promise<void> {
  for (const step of [...steps, ...steps]) await step(client, story)
}

const cancelled = 'cancelled by its client'
/** The description of what only an operator ends. */
export const needsOperator = 'An operator finds out'

/** What takes no long time: no seconds of an answer, and nothing that closes the bank to others. */
const misfortunes = [
  'accept',
  'reject-AC04',
  'invalid-payment',
  'timeout-then-not-executed',
  'reset-before-execution',
  '503-not-executed',
  'timeout-then-executed',
  'reset-after-execution',
  'wrong-amount',
  'accepted-then-executed',
  'accepted-then-rejected',
  'executed-told-before-accepted',
  'duplicate-answer',
  'contradiction',
  'returned-after-5s',
  'returned-partly',
  'unknown-for-ever'
]

/** Whom a bulk pays; the bank's answers of every kind. */
const payees: Partial<BulkRequest['credit_transfers'][number]>[] = [
  ...misfortunes.map((scenario) => ({
    counterparty_iban: ibanOf(scenario),
    description: `The bank's ${scenario}`
  })),
  { counterparty_iban: ibanOf('unknown-for-ever'), description: needsOperator }
]

function ibanOf(name: string): string {
  const found = scenarios.find(({ scenario }) => scenario === name)
  assert.ok(found, `the bank knows no ${name}`)
  return found.counterparty_iban
}

/** The first of twelve has this payee, the others are ordinary. */
function severalTo(scenario: string): BulkRequest['credit_transfers'] {
  const [first, ...others] = Array.from({ length: 12 }, () => aTransfer({ amount: '1.00' }))
  return [{ ...first!, counterparty_iban: ibanOf(scenario) }, ...others]
}

/** How a transfer of the workload must end; of a bulk that stops it may end unsent. */
export function mayEndAs(bulk: BulkRequest, index: number): string[] {
  const { counterparty_iban, description } = bulk.credit_transfers[index]!
  const expected = findScenario(counterparty_iban)?.expected_status ?? 'EXECUTED'
  const end = description === needsOperator ? 'FAILED' : expected
  const mayBeUnsent = bulk.on_failure === 'stop' && (index > 0 || bulk.label === cancelled)
  return mayBeUnsent ? [end, 'CANCELLED'] : [end]
}

/** Whether the bank tells of it by callback what is not true. */
export function isContradicted({ counterparty_iban }: { counterparty_iban: string }): boolean {
  return findScenario(counterparty_iban)?.scenario === 'contradiction'
}

interface Progress {
  pending: { count: number }
  failed: { count: number }
}

async function untilStatus(
  client: StubbornClient,
  path: string,
  holds: (status: Progress) => boolean
): Promise<void> {
  for (;;) {
    const status = await client.get(`${path}/status`)
    if (holds(status.body as Progress)) return
    await sleep(20)
  }
}

async function submit(
  client: StubbornClient,
  story: Story,
  bulk: BulkRequest,
  request: Accepted['request'] = { path: '/transfers/bulk', body: bulk }
): Promise<void> {
  const answer = await client.post(request.path, request.body)
  assert.equal(answer.status, 201, JSON.stringify(answer.body))
  story.accepted.push({ bulk, request, answer: answer.body })
}

async function beRefused(
  client: StubbornClient,
  story: Story,
  bulk: BulkRequest,
  reason: string
): Promise<void> {
  expectRefusal(await client.post('/transfers/bulk', bulk), reason)
  story.refused.push(bulk.request_id)
}

function expectRefusal({ body }: Answer, reason: string): void {
  assert.equal((body as { error?: { reason: string } }).error?.reason, reason)
}
