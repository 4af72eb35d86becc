import assert from 'node:assert/strict'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'
import { aBulk, aTransfer, payer } from '../support/builders.ts'
import type { Answer } from '../support/api.ts'
import type { StubbornClient } from '../support/stubborn-client.ts'
import { faultyDescriptions } from './bank-line.ts'

/** What a client has done and was told; the end is checked against it. */
export interface Story {
  accepted: { bulk: BulkRequest; answer: unknown }[]
  /** Ids of bulks that must not be there. */
  refused: string[]
}

export function newStory(): Story {
  return { accepted: [], refused: [] }
}

type Step = (client: StubbornClient, story: Story) => Promise<void>

/**
 * What a client does, in this order and then once more, so that whatever is reached is reached twice. To reach
 * something new, add a step here, or a payee below: every statement, call and commit on the way is a point by itself.
 */
const steps: Step[] = [
  async function lookAround(client) {
    assert.equal((await client.get('/health/ready')).status, 200)
    assert.equal((await client.get('/accounts')).status, 200)
    assert.equal((await client.get(`/accounts/${payer.organization_iban}`)).status, 200)
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
  async function payUntilTheFirstFailure(client, story) {
    const [first, ...others] = Array.from({ length: 12 }, () => aTransfer({ amount: '1.00' }))
    const rejected = { ...first!, counterparty_iban: closedAccount }
    await submit(client, story, aBulk({ on_failure: 'stop', credit_transfers: [rejected, ...others] }))
  },
  async function sendTheSameAgain(client, story) {
    const { bulk, answer } = story.accepted.at(-1)!
    const again = await client.post('/transfers/bulk', bulk)
    assert.equal(again.headers.get('idempotent-replayed'), 'true')
    assert.deepEqual(again.body, answer)
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

const closedAccount = 'DE88000000000000001004'

/** Whom a bulk pays; the bank's answers of every kind. */
const payees: Partial<BulkRequest['credit_transfers'][number]>[] = [
  ...faultyDescriptions.map((description) => ({ description })),
  { description: 'Nothing is special about it' },
  { counterparty_iban: closedAccount }
]

/** How a transfer of the workload must end; a bulk that stops may end it unsent. */
export function mayEndAs(bulk: BulkRequest, index: number): string[] {
  const { counterparty_iban } = bulk.credit_transfers[index]!
  if (counterparty_iban === closedAccount) return ['FAILED']
  return bulk.on_failure === 'stop' ? ['EXECUTED', 'CANCELLED'] : ['EXECUTED']
}

async function submit(client: StubbornClient, story: Story, bulk: BulkRequest): Promise<void> {
  const answer = await client.post('/transfers/bulk', bulk)
  assert.equal(answer.status, 201)
  story.accepted.push({ bulk, answer: answer.body })
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
