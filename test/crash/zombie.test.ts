import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { sendSignal, until } from '../e2e/processes.ts'
import { digestTables } from '../support/database.ts'
import { expectRight } from './check.ts'
import { makeInstallation, workOff, type Installation } from './run.ts'

/** Around all that a holder of a claim, or of a request, does to the outside. */
const effects = [
  'accept-bulk',
  'claim-chunks',
  'bank.submit',
  'bank.inquire',
  'renew-leases',
  'record-results'
]

/** What an inquiry about the payment that stays unknown for ever leaves as it is. */
const tables = ['account', 'outcome', 'posting', 'transfer', 'transfer_return', 'transfer_retry', 'incident']

describe('paused past its lease', { skip: process.platform === 'win32', concurrency: 2 }, () => {
  for (const effect of effects)
    for (const side of ['before', 'after'])
      it(`${side} ${effect}, it changes nothing when it wakes up and another has done its work`, (t) =>
        pause(t, effect, side))
})

async function pause(t: TestContext, effect: string, side: string): Promise<void> {
  const installation = await makeInstallation(t)
  const zombie = installation.start({
    CRASH_AT: `${side} ${effect}:1`,
    CRASH_BY: 'SIGSTOP',
    WORKER_LANES: '1'
  })
  const work = workOff(installation)
  await until('it has come to the point', () => (installation.reached().get(`${side} ${effect}`) ?? 0) > 0)
  installation.start()
  await work
  const before = await digestTables(installation.database, tables)

  sendSignal(zombie.pid, 'SIGCONT')

  await untilAwake(installation, effect)
  assert.deepEqual(await digestTables(installation.database, tables), before)
  await expectRight(installation)
}

/** Returns when it has ended what it was about, and has looked for work twice since. */
async function untilAwake(installation: Installation, effect: string): Promise<void> {
  const count = (point: string) => installation.reached().get(point) ?? 0
  const looks = count('before claim-chunks')
  await until(
    'it is awake',
    () => count('after claim-chunks') >= looks + 2 && count(`before ${effect}`) === count(`after ${effect}`)
  )
}
