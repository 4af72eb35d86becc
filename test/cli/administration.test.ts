import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Command } from 'commander'
import { addAdministration } from '../../src/cli/administration.ts'
import { UsageError } from '../../src/cli/usage-error.ts'
import { listHolds } from '../../src/execution/hold.ts'
import { anOrganization, payer } from '../support/builders.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
process.env['DATABASE_URL'] = database.url
const organization = String(await anOrganization(database.db))

async function run(command: string[]): Promise<void> {
  const program = new Command()
  addAdministration(program)
  await program.parseAsync(command, { from: 'user' })
}

const bulk = '123e4567-e89b-12d3-a456-426614174000'
const decided = ['--operator', 'Ada', '--reason', 'a test']

describe("an operator's command", () => {
  const wrong: [string[], RegExp][] = [
    [['organization', 'create', ' '], /is empty/],
    [['key', 'create', '--organization', organization, '--label', ''], /is empty/],
    [['hold', 'place', '--bank', '--operator', 'Ada', '--reason', ''], /is empty/],
    [['hold', 'place', '--bank', '--operator', ' ', '--reason', 'x'], /is empty/],
    [['hold', 'place', ...decided], /--bank alone, or --organization/],
    [['hold', 'place', '--bank', '--organization', organization, ...decided], /--bank alone/],
    [['hold', 'place', '--bank', '--iban', payer.organization_iban, ...decided], /--bank alone/],
    [['hold', 'release', '--bank', '--bulk', bulk, '--operator', 'Ada'], /--bank alone/],
    [
      [
        'hold',
        'place',
        '--organization',
        organization,
        '--iban',
        payer.organization_iban,
        '--bulk',
        bulk,
        ...decided
      ],
      /--iban or --bulk/
    ],
    [['hold', 'place', '--organization', organization, '--bulk', 'x', ...decided], /x is no bulk_id/],
    [
      ['hold', 'place', '--organization', organization, '--bulk', bulk, ...decided],
      /no such account or bulk/
    ],
    [['hold', 'place', '--organization', '999', ...decided], /no organization 999/],
    [['hold', 'release', '--bank', '--operator', 'Ada'], /not held/],
    [['key', 'revoke', 'x'], /no such key/],
    [['key', 'rotate', 'x', '--grace-hours', '1.5'], /no whole number/],
    ...(
      [
        ['DE89370400440532013000', '5.00', 'x', /no such account/],
        [payer.organization_iban, '0', 'x', /--amount has to be a positive amount/],
        [payer.organization_iban, '5.00', 'a b', /--reference may have letters, digits/]
      ] as const
    ).map(([iban, amount, reference, says]): [string[], RegExp] => [
      [
        'account',
        'deposit',
        iban,
        '--organization',
        organization,
        '--amount',
        amount,
        '--reference',
        reference
      ],
      says
    ]),
    [['account', 'close', '--organization', organization, '--iban', payer.organization_iban], /not empty/]
  ]
  for (const [command, says] of wrong)
    it(`is refused and told what is wrong: ${command.join(' ')}`, async () => {
      const refused: unknown = await run(command).catch((error: unknown) => error)
      assert.ok(refused instanceof UsageError, String(refused))
      assert.match(refused.message, says)
    })

  it('adds money to an account once for each reference', async () => {
    const command = ['account', 'deposit', payer.organization_iban, '--organization', organization]
    for (let time = 0; time < 2; time++) await run([...command, '--amount', '5.00', '--reference', 'x'])
    const [row] = await database.sql<{ balance: string }>(
      `select balance_minor::text as balance from account where iban = $1`,
      [payer.organization_iban]
    )
    assert.equal(row?.balance, '10000500')
    await assert.rejects(
      run([...command, '--amount', '6.00', '--reference', 'x']),
      /a deposit of 5\.00 EUR with this reference/
    )
  })

  it('that is refused holds nothing', async () => {
    assert.deepEqual(await listHolds(database.db), [])
  })
})
