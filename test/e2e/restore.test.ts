import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { aBulk } from '../support/builders.ts'
import { demoOrganization } from '../../src/organizations/demo-organization.ts'
import { call, makePlace, readStatuses, run, start, untilFinal, type Place, type Program } from './program.ts'
import { sendSignal, until } from './processes.ts'

const because = ['--operator', 'tests', '--reason', 'restore']

describe('a database that was restored to an earlier moment', { skip: process.platform === 'win32' }, () => {
  it('pays nothing twice, neither what it had accepted nor what it forgot and is given again', async (t) => {
    const place = await makePlace(t, { RECONCILE_EVERY_MS: '1000' })
    const database = path.join(place.dataDir, 'postgresql')
    const copy = path.join(place.folder, 'copy')
    let program = await start(place)
    await bulkhead(place, 'hold', 'place', '--bank', ...because)
    const kept = await submit(place, aPayroll())
    await stop(program)
    cpSync(database, copy, { recursive: true })

    program = await start(place)
    await bulkhead(place, 'hold', 'release', '--bank', '--operator', 'tests')
    const payroll = aPayroll()
    const forgotten = await submit(place, payroll)
    await untilFinal(place, [kept, forgotten])
    await stop(program)
    rmSync(database, { recursive: true })
    cpSync(copy, database, { recursive: true })

    program = await start(place)
    assert.equal((await call(place, `/transfers/bulk/${forgotten}/status`)).status, 404)
    assert.equal((await readStatuses(place, [kept]))[0]?.status, 'PENDING')
    await until('the forgotten payment is found', async () =>
      (await bulkhead(place, 'incidents')).includes('unexpected-at-bank')
    )
    const found = await run(place, ['verify'])
    assert.match(found.stdout, /I3 .*a payment that no transfer of ours asked for/)
    await bulkhead(place, 'hold', 'release', '--bank', '--operator', 'tests')
    await submit(place, payroll)
    await untilFinal(place, [kept, forgotten])
    const listed = await call(place, `${place.bankUrl}/payments?limit=10`)
    assert.equal((listed.body as { count: number }).count, 2, 'nothing was paid twice')
    const verification = await run(place, ['verify'])
    assert.match(verification.stdout, /Verdict: clean/)
    await stop(program)
  })
})

const aPayroll = () => aBulk({ organization_iban: demoOrganization.accounts[1].iban })

async function submit(place: Place, bulk: ReturnType<typeof aBulk>): Promise<string> {
  assert.equal((await call(place, '/transfers/bulk', bulk)).status, 201)
  return bulk.request_id
}

async function stop(program: Program): Promise<void> {
  sendSignal(program.pid, 'SIGTERM')
  await program.exit
}

async function bulkhead(place: Place, ...command: string[]): Promise<string> {
  const done = await run(place, command)
  assert.equal(done.code, 0, done.stderr)
  return done.stdout
}
