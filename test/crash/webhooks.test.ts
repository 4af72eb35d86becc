import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { until } from '../e2e/processes.ts'
import type { Answer } from '../support/api.ts'
import { aBulk } from '../support/builders.ts'
import {
  countTaken,
  judgeArrivals,
  judgeFeed,
  readFeed,
  startWitness,
  type Witness
} from '../support/witness.ts'
import { makeInstallation, type Installation } from './run.ts'

/**
 * The way of a bulk's end to its receiver, in its order: recorded, sealed, made a delivery, taken, sent, recorded. Each
 * life of the program ends at one of these points, with what the life before it left, so that even the first look for
 * events or deliveries finds some.
 */
const places = [
  'after record-results',
  'before seal-events',
  'before commit of lock-sealing',
  'after commit of lock-sealing',
  'after fan-out-events',
  'after claim-webhook-deliveries',
  'before outgoing.post',
  'after outgoing.post',
  'before record-webhook-attempt',
  'after record-webhook-attempt'
]

describe(
  'killed at each step from the end of a bulk to the record of its delivery',
  {
    skip: process.platform === 'win32'
  },
  () => {
    it('it tells every event, under one webhook-id each', async (t) => {
      const installation = await makeInstallation(t)
      Object.assign(installation.place.environment, { WEBHOOK_ALLOW_PRIVATE: '127.0.0.1/32' })
      const { client, database } = installation
      const witness = await startWitness()
      const bulks = places.map(() => aBulk())
      const answers: Promise<Answer>[] = []
      for (const [life, place] of places.entries()) {
        const program = installation.start({ CRASH_AT: `${place}:1` })
        if (life === 0) witness.secret = await open(installation, witness)
        // Sent again in the next life if this one ends before it has answered.
        answers.push(client.post('/transfers/bulk', bulks[life]))
        assert.equal((await program.exit).signal, 'SIGKILL', `${place}: ${program.stderr()}`)
        // What a dead process had taken is due when its lease is over: it is.
        await database.sql('update webhook_delivery set due_at = now() where due_at is not null')
      }
      installation.start()
      for (const { status } of await Promise.all(answers)) assert.equal(status, 201)

      const feed = await until('everything is told', async () => {
        const events = await readFeed(client.get)
        const ends = events.filter(({ type }) => type === 'bulk.completed')
        return ends.length >= bulks.length && countTaken(witness) >= events.length && events
      })
      assert.deepEqual(judgeArrivals(witness, feed), [])
      const statuses = new Map<string, Record<string, unknown>>()
      for (const { request_id } of bulks)
        statuses.set(request_id, {
          ...((await client.get(`/transfers/bulk/${request_id}/status`)).body as object)
        })
      assert.deepEqual(judgeFeed(feed, statuses), [])
      assert.ok(witness.arrivals.length > feed.length, 'what was sent and not recorded was sent again')
      t.diagnostic(`${feed.length} events, ${witness.arrivals.length} attempts arrived`)
    })
  }
)

async function open({ client }: Installation, { url }: Witness): Promise<string> {
  const answer = await client.post('/webhooks/endpoints', { url })
  return (answer.body as { secret: string }).secret
}
