import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { demoOrganization } from '../../src/organizations/demo-organization.ts'
import { aBulk } from '../support/builders.ts'
import { countTaken, judgeArrivals, judgeFeed, readFeed, startWitness } from '../support/witness.ts'
import { findPostmaster, killAll, processTree, until } from './processes.ts'
import { findFreePorts } from '../support/ports.ts'
import { askDatabase, call, makePlace, start, type Place } from './program.ts'

describe(
  'kill -9 of everything between the commit of a bulk and its delivery',
  {
    skip: process.platform === 'win32'
  },
  () => {
    it('loses no event, neither to a receiver that was silent nor to one that was away', async (t) => {
      const place = await makePlace(t)
      const program = await start(place)
      const silent = await startWitness()
      silent.react = ({ type }) => (type === 'bulk.completed' ? 'says nothing' : 'takes it')
      const [port = 0] = await findFreePorts(1)
      const open = async (url: string) =>
        ((await call(place, '/webhooks/endpoints', { url })).body as { secret: string }).secret
      silent.secret = await open(silent.url)
      const secret = await open(`http://127.0.0.1:${port}`)
      const bulk = aBulk({ transfers: 250, organization_iban: demoOrganization.accounts[1].iban })
      assert.equal((await call(place, '/transfers/bulk', bulk)).status, 201)
      await until('the silent one has the end', () => ends(silent).length > 0)
      await killAll(processTree([program.pid, findPostmaster(place.dataDir) ?? 0]))

      silent.react = () => 'takes it'
      const away = Object.assign(await startWitness({ port }), { secret })
      await start(place)
      await letTimePass(place)

      const told = await until('both are told of everything', async () => {
        const feed = await readFeed((path) => call(place, path))
        return [silent, away].every((witness) => countTaken(witness) === feed.length) && feed
      })
      for (const witness of [silent, away]) assert.deepEqual(judgeArrivals(witness, told), [])
      const status = (await call(place, `/transfers/bulk/${bulk.request_id}/status`)).body as {
        final: boolean
      }
      assert.ok(status.final)
      assert.deepEqual(judgeFeed(told, new Map([[bulk.request_id, { ...status }]])), [])
      assert.equal(ends(silent).length, 2, 'once before the kill, once after it')
      assert.equal(ends(away).length, 1)
      t.diagnostic(`${told.length} events`)
    })
  }
)

const ends = ({ arrivals }: { arrivals: { type: string }[] }) =>
  arrivals.filter(({ type }) => type === 'bulk.completed')

/** What failed is tried again after a while, and what a dead process had taken when its lease is over: they are. */
async function letTimePass(place: Place): Promise<void> {
  await askDatabase(place, 'update webhook_delivery set due_at = now() where due_at is not null')
}
