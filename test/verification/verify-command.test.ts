import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import path from 'node:path'
import { describe, it } from 'node:test'
import { createHttpBank } from '../../src/banking/http-bank.ts'
import { printVerdict } from '../../src/verification/print-verdict.ts'
import { anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { startBank } from '../sandbox-bank/bank-harness.ts'
import { submit, workOnce } from './history.ts'

const main = path.join(import.meta.dirname, '../../src/main.ts')

describe('npm run verify', () => {
  it('says that all is well, or what is not, with its exit code', async (t) => {
    const database = await createTestDatabase({ maxConnections: 4 })
    const { url, port } = await startBank(t)
    const bank = createHttpBank({ url, connections: 2, timeout_ms: 5_000 })
    t.after(() => bank.close())
    const context = { ...createTestContext(database), bank }
    const organization_id = await anOrganization(database.db)
    await submit(context, organization_id, ['100.00', '50.00'])
    await workOnce(context)
    const environment = { DATABASE_URL: database.url, BANK_URL: `http://127.0.0.1:${port}` }

    const clean = await run(environment)
    assert.match(
      clean.output,
      /^Checked 1 organization, 2 accounts, 1 bulk, 2 transfers, 3 postings and 2 bank/
    )
    assert.match(clean.output, /^✓ I1 {2}.+\n✓ I2 .+\n✓ I3 .+\n✓ I4 .+\n✓ I5 .+\n✓ I6 .+\n✓ I7 .+\n✓ I8 /m)
    assert.match(clean.output, /\nVerdict: clean\n$/)
    assert.equal(clean.code, 0)

    await database.sql(`update account set reserved_minor = 10000 where kind = 'CUSTOMER'`)
    const broken = await run(environment)
    assert.match(broken.output, /\n✗ I2 .+ \(violations: 1\)\n/)
    assert.match(
      broken.output,
      /\nI2 {2}account \d+ of organization \d+: reserved is 100\.00 EUR, its open transfers add up to 0\.00 EUR\n/
    )
    assert.match(broken.output, /\nVerdict: 1 violation\n$/)
    assert.equal(broken.code, 1)
  })

  it('says in one line what is missing', async () => {
    const database = await createTestDatabase({ migrated: false })
    const empty = await run({ DATABASE_URL: database.url, BANK_URL: 'http://127.0.0.1:1' })
    assert.equal(empty.code, 2)
    assert.match(empty.output, /^Bulkhead's tables are not in this database.+\n$/)
  })

  it('says that the bank is missing', async () => {
    const database = await createTestDatabase()
    const alone = await run({ DATABASE_URL: database.url, BANK_URL: 'http://127.0.0.1:1' })
    assert.equal(alone.code, 2)
    assert.match(alone.output, /^The bank at http:\/\/127\.0\.0\.1:1 does not show its log: .+\n$/)
  })
})

describe('a verdict', () => {
  const verification = {
    violations: [],
    checked: { organizations: 1, accounts: 2, bulks: 3, transfers: 1_000_000, postings: 4, bank_payments: 5 },
    duration_ms: 1234
  }

  it('has colours on a terminal only', () => {
    assert.doesNotMatch(written({ isTTY: false }), /\x1b/)
    assert.match(written({ isTTY: true }), /\x1b\[32mVerdict: clean\x1b\[39m/)
    assert.match(written({ isTTY: false }), /1,000,000 transfers, 4 postings and 5 bank payments in 1\.2 s/)
  })

  function written(output: { isTTY: boolean }): string {
    let text = ''
    printVerdict(verification, { ...output, write: (part) => (text += part) })
    return text
  }
})

async function run(environment: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [main, 'verify'], { env: { ...process.env, ...environment } })
  let output = ''
  child.stdout.on('data', (part: Buffer) => (output += part.toString()))
  child.stderr.on('data', (part: Buffer) => (output += part.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, output }
}
