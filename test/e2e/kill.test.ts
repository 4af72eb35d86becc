import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import {
  askDatabase,
  expectAllPaid,
  makePlace,
  readStatuses,
  start,
  submitBulks,
  type Place,
  type Program
} from './program.ts'
import { findPostmaster, isAlive, killAll, processTree, sendSignal, until } from './processes.ts'

describe('three bulks of 1000, killed in the middle', { skip: process.platform === 'win32' }, () => {
  it('are paid exactly once after kill -9 of every process and a new start', async (t) => {
    const { place, program, bulkIds } = await startInTheMiddle(t)
    const tree = processTree([program.pid, postmasterOf(place)])
    await killAll(tree)
    const paid = countPaymentsInLog(place)
    assert.ok(paid > 0 && paid < 3000, `the bank had executed ${paid}`)
    t.diagnostic(`${tree.length} processes killed when the bank had executed ${paid} of 3000`)

    await start(place)

    await expectAllPaid(place, bulkIds)
  })

  it('are paid exactly once after the main process alone was killed; the bank ends, PostgreSQL is taken over', async (t) => {
    const { place, program, bulkIds } = await startInTheMiddle(t)
    const postmaster = postmasterOf(place)
    const bank = bankOf(place, program)
    await killAll([program.pid])
    await until('the bank has ended', () => !isAlive(bank))
    assert.ok(isAlive(postmaster))
    t.diagnostic(`the bank had executed ${countPaymentsInLog(place)} of 3000`)

    const again = await start(place)

    assert.match(again.stderr(), new RegExp(`Taking over the server .*process ${postmaster}\\)`))
    assert.equal(findPostmaster(place.dataDir), postmaster)
    await expectAllPaid(place, bulkIds)
  })

  it('are paid exactly once after the bank alone was killed; the program starts it again', async (t) => {
    const { place, program, bulkIds } = await startInTheMiddle(t)
    const bank = bankOf(place, program)
    const killedAt = performance.now()
    await killAll([bank])

    await until('another bank runs', () => banksOf(place, program).some((pid) => pid !== bank))

    await expectAllPaid(place, bulkIds)
    t.diagnostic(`paid and proven ${Math.round(performance.now() - killedAt)} ms after the bank was killed`)
    assert.match(program.stdout(), /the sandbox bank has ended; starting it again/)
    const chunks = await countChunks(place)
    t.diagnostic(`${chunks} chunks`)
    assert.ok(chunks < 300, `what could not be sent goes on in chunks, not one by one (${chunks} chunks)`)
  })

  it('are paid exactly once after PostgreSQL alone was killed; the program starts it again', async (t) => {
    const { place, bulkIds } = await startInTheMiddle(t)
    const postmaster = postmasterOf(place)
    await killAll([postmaster])
    await until(
      'another PostgreSQL runs',
      () => ![undefined, postmaster].includes(findPostmaster(place.dataDir))
    )
    await until('the API answers again', async () => {
      const answer = await fetch(`${place.url}/health/ready`).catch(() => null)
      return answer?.status === 200
    })
    await expectAllPaid(place, bulkIds)
  })

  it('leaves nothing behind when everything is stopped by SIGTERM in the middle, and goes on at the next start', async (t) => {
    const { place, program, bulkIds } = await startInTheMiddle(t)
    const tree = processTree([program.pid, postmasterOf(place)])
    sendSignal(program.pid, 'SIGTERM')
    assert.deepEqual(await program.exit, { code: 0, signal: null })
    assert.deepEqual(tree.filter(isAlive), [])

    await start(place)

    await expectAllPaid(place, bulkIds)
  })

  it('leaves nothing behind when SIGTERM comes while the bank is frozen and a client sends its body for ever', async (t) => {
    const { place, program, bulkIds } = await startInTheMiddle(t, { BANK_TIMEOUT_MS: '2000' })
    const tree = processTree([program.pid, postmasterOf(place)])
    const socket = connect(Number(new URL(place.url).port), '127.0.0.1')
    t.after(() => socket.destroy())
    socket.on('error', () => undefined)
    socket.write(
      'POST /transfers/bulk HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{'
    )
    await until('the API is waiting for the body', () => socket.bytesWritten > 0)
    sendSignal(bankOf(place, program), 'SIGSTOP')
    const began = performance.now()
    sendSignal(program.pid, 'SIGTERM')
    assert.deepEqual(await program.exit, { code: 0, signal: null })
    t.diagnostic(`stopped after ${Math.round(performance.now() - began)} ms`)
    assert.deepEqual(tree.filter(isAlive), [])

    await start(place)

    await expectAllPaid(place, bulkIds)
  })
})

async function startInTheMiddle(
  t: TestContext,
  settings: Record<string, string> = {}
): Promise<{ place: Place; program: Program; bulkIds: string[] }> {
  const place = await makePlace(t, { SANDBOX_BANK_LATENCY_MS: '20', LEASE_MS: '2000', ...settings })
  const program = await start(place)
  const bulkIds = await submitBulks(place, 3)
  const progress = await until('a bulk is in the middle', async () =>
    (await readStatuses(place, bulkIds)).map((bulk) => bulk.progress).find((share) => share > 0 && share < 1)
  )
  t.diagnostic(`in the middle: progress ${progress}`)
  return { place, program, bulkIds }
}

function postmasterOf(place: Place): number {
  const pid = findPostmaster(place.dataDir)
  assert.ok(pid !== undefined, 'PostgreSQL runs')
  return pid
}

function bankOf(place: Place, program: Program): number {
  const [bank] = banksOf(place, program)
  assert.ok(bank !== undefined, 'the bank runs')
  return bank
}

/** What the program has started beside PostgreSQL. */
function banksOf(place: Place, program: Program): number[] {
  const others = [program.pid, ...processTree([postmasterOf(place)])]
  return processTree([program.pid]).filter((pid) => !others.includes(pid))
}

async function countChunks(place: Place): Promise<number> {
  const rows = await askDatabase<{ count: number }>(place, 'select count(*)::int4 from chunk')
  return rows[0]?.count ?? 0
}

function countPaymentsInLog(place: Place): number {
  const log = readFileSync(path.join(place.dataDir, 'sandbox-bank', 'payments.jsonl'), 'utf8')
  return log.split('\n').length - 1
}
