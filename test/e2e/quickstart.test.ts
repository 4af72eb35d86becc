import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { stopDeadlineMs } from '../../src/cli/stops.ts'
import { call, makePlace, readStatuses, run, start, untilFinal, type Place, type Program } from './program.ts'
import { findPostmaster, isAlive, processTree, sendSignal, until } from './processes.ts'

const root = path.join(import.meta.dirname, '../..')
const iban = 'FR10474608000002006107XXXXX'
const bulkId = '123e4567-e89b-12d3-a456-426614174000'
const seedsExample = {
  request_id: bulkId,
  organization_bic: 'OIVUSCLQXXX',
  organization_iban: iban,
  credit_transfers: [
    {
      amount: '100.00',
      currency: 'EUR',
      counterparty_name: 'John Doe',
      counterparty_bic: 'DEUTDEFFXXX',
      counterparty_iban: 'DE89370400440532013000',
      description: 'Salary payment for June 2024'
    }
  ]
}

// The tests are one session, in order: what a newcomer does with a fresh checkout.
describe('a fresh checkout', { skip: process.platform === 'win32' }, () => {
  let place: Place
  let checkout: string
  let program: Program

  let cleanUp = () => Promise.resolve()
  after(() => cleanUp())

  before(async () => {
    place = await makePlace({ after: (hook) => (cleanUp = hook) })
    checkout = path.join(place.folder, 'checkout')
    copyCheckout(checkout)
    place.dataDir = path.join(checkout, 'data')
    delete place.environment['DATA_DIR']
  })

  const npmStart = () => start(place, { command: ['npm', 'start'], cwd: checkout })
  const bash = (script: string) =>
    run(place, ['bash', '-euo', 'pipefail', '-c', `${strictCurl}\n${script}`], {
      cwd: checkout,
      foreign: true
    })

  it('is ready soon after npm start', async (t) => {
    const startedAt = performance.now()
    program = await npmStart()
    const took_ms = Math.round(performance.now() - startedAt)
    t.diagnostic(`ready after ${took_ms} ms`)
    assert.ok(took_ms < 30_000, `ready after ${took_ms} ms`)
    assert.equal((await call(place, '/health/ready')).status, 200)
  })

  it("pays the seed's example by itself", async () => {
    const answer = await call(place, '/transfers/bulk', seedsExample)
    assert.equal(answer.status, 201)
    await untilFinal(place, [bulkId])
    assert.equal((await readStatuses(place, [bulkId]))[0]?.status, 'COMPLETED')
    const { balance, reserved } = (await call(place, `/accounts/${iban}`)).body as Record<string, string>
    assert.deepEqual({ balance, reserved }, { balance: '99900.00', reserved: '0.00' })
  })

  it('prints curl lines that work as they stand', async () => {
    const [pay = '', watch = ''] = program.stderr().match(/^ +curl .*$/gm) ?? []
    const paid = await bash(pay)
    assert.equal(paid.code, 0, paid.stderr)
    const { bulk_id } = JSON.parse(paid.stdout) as { bulk_id: string }
    await untilFinal(place, [bulk_id])
    const watched = await bash(watch)
    assert.equal((JSON.parse(watched.stdout) as { status: string }).status, 'COMPLETED')
  })

  const examples = readExamples()
  it(
    'has a README whose curl commands work',
    { skip: examples.length === 0 && 'there is no README.md with a curl command yet' },
    async (t) => {
      for (const example of examples) {
        const { code, stdout, stderr } = await bash(
          example.replaceAll(':8000', `:${place.environment['PORT']}`)
        )
        assert.equal(code, 0, `${example}\n${stdout}${stderr}`)
      }
      t.diagnostic(`${examples.length} commands`)
    }
  )

  it('passes npm run verify', async () => {
    const { code, stdout, stderr } = await run(place, ['npm', 'run', 'verify'], {
      cwd: checkout,
      foreign: true
    })
    assert.equal(code, 0, stdout + stderr)
    assert.match(stdout, /Verdict: clean/)
  })

  it('stops at SIGTERM with exit code 0 and leaves no process', async (t) => {
    const tree = processTree([program.pid, findPostmaster(place.dataDir) ?? 0])
    assert.ok(tree.length > 5, 'npm, the program, the bank, and PostgreSQL with its own')
    const toldAt = performance.now()
    sendSignal(readOwner(place), 'SIGTERM')
    assert.deepEqual(await program.exit, { code: 0, signal: null })
    const took_ms = Math.round(performance.now() - toldAt)
    t.diagnostic(`${tree.length} processes gone after ${took_ms} ms`)
    assert.ok(took_ms < stopDeadlineMs, `stopped after ${took_ms} ms`)
    assert.deepEqual(tree.filter(isAlive), [])
  })

  it('still knows the bulk after the next start, and replays its answer', async (t) => {
    const startedAt = performance.now()
    program = await npmStart()
    t.diagnostic(`ready again after ${Math.round(performance.now() - startedAt)} ms`)
    const answer = await call(place, '/transfers/bulk', seedsExample)
    assert.equal(answer.status, 201)
    assert.equal(answer.headers.get('idempotent-replayed'), 'true')
    assert.equal((await readStatuses(place, [bulkId]))[0]?.status, 'COMPLETED')
  })

  it('leaves no process when npm itself is told to stop', async () => {
    await expectCleanStop(() => sendSignal(program.pid, 'SIGTERM'))
  })

  it('leaves no process after Ctrl-C, even pressed twice', async () => {
    program = await npmStart()
    await expectCleanStop(() => {
      process.kill(-program.pid, 'SIGINT')
      process.kill(-program.pid, 'SIGINT')
    })
  })

  async function expectCleanStop(tell: () => void): Promise<void> {
    const tree = processTree([program.pid, findPostmaster(place.dataDir) ?? 0])
    tell()
    await program.exit
    await until('every process is gone', () => !tree.some(isAlive))
    assert.match(program.stdout(), /"msg":"stopped"/)
  }
})

/** The process that holds the data: the program itself, below npm and its shell. */
function readOwner(place: Place): number {
  const owner = readFileSync(path.join(place.dataDir, 'postgresql', 'owner.pid'), 'utf8')
  return (JSON.parse(owner) as { pid: number }).pid
}

/** What git would check out, with this working tree's changes, and the installed packages. */
function copyCheckout(target: string): void {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root
  })
  for (const file of listed.toString().split('\0'))
    if (file !== '' && existsSync(path.join(root, file)))
      cpSync(path.join(root, file), path.join(target, file))
  symlinkSync(path.join(root, 'node_modules'), path.join(target, 'node_modules'))
}

/** A refusal fails the command, and nothing but the answer is written. */
const strictCurl = 'curl() { command curl --silent --show-error --fail "$@"; }'

/** The curl commands of the README's fenced blocks, with their continued lines and quoted bodies. */
function readExamples(): string[] {
  const file = path.join(root, 'README.md')
  if (!existsSync(file)) return []
  const blocks = [...readFileSync(file, 'utf8').matchAll(/^```(?:bash|sh|shell|console)?\n(.*?)^```/gms)]
  return blocks.flatMap(([, block = '']) =>
    [...block.matchAll(/^(?:\$ )?(curl (?:'[^']*'|"[^"]*"|\\\n|[^'"\n])*)/gm)].map(
      ([, command = '']) => command
    )
  )
}
