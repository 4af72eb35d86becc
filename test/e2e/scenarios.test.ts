import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { it } from 'node:test'
import { aBulk, aTransfer } from '../support/builders.ts'
import { call, makePlace, run, start, type Place } from './program.ts'
import { until } from './processes.ts'

interface Scenario {
  scenario: string
  counterparty_iban: string
  expected_status: string
  expected_reason?: string
}

interface Transfer {
  client_transfer_id: string
  status: string
  failure: { code: string } | null
  returned: { amount: string } | null
}

/** Two of each, since the first payment of a kind may leave traces; amounts that tell them apart in a sum. */
function bulkOf(scenarios: Scenario[]) {
  const twice = scenarios.flatMap((scenario) => [scenario, scenario])
  return aBulk({
    request_id: randomUUID(),
    credit_transfers: twice.map(({ scenario, counterparty_iban }, index) =>
      aTransfer({
        amount: `${10 + index}.07`,
        counterparty_iban,
        client_transfer_id: `${index % 2} ${scenario}`
      })
    )
  })
}

async function readTransfers(place: Place, bulkId: string): Promise<Transfer[]> {
  const page = await call(place, `/transfers/bulk/${bulkId}/transfers?limit=1000`)
  return (page.body as { data: Transfer[] }).data
}

const endsOf = (transfers: Transfer[]) =>
  Object.fromEntries(
    transfers.map(({ client_transfer_id, status, failure }) => [
      client_transfer_id,
      `${status} ${failure?.code ?? ''}`
    ])
  )

it('every scenario of the bank ends in its expected status, with the books exact', async (t) => {
  const place = await makePlace(t, {
    BANK_TIMEOUT_MS: '1000',
    BANK_SETTLEMENT_WINDOW_MS: '7000',
    RECONCILE_EVERY_MS: '1000'
  })
  await start(place)
  const listed = await call(place, `${place.bankUrl}/scenarios`)
  const scenarios = listed.body as Scenario[]
  assert.ok(scenarios.length >= 30)
  const bulk = bulkOf(scenarios)
  const expected = Object.fromEntries(
    scenarios.flatMap(({ scenario, expected_status, expected_reason = '' }) =>
      [0, 1].map((copy) => [`${copy} ${scenario}`, `${expected_status} ${expected_reason}`])
    )
  )
  const startedAt = performance.now()
  assert.equal((await call(place, '/transfers/bulk', bulk)).status, 201)

  let transfers: Transfer[] = []
  await until('every transfer is what it should become', async () => {
    await call(place, `${place.bankUrl}/clock/advance`, { seconds: 5 }).catch(() => undefined)
    transfers = await readTransfers(place, bulk.request_id)
    return JSON.stringify(endsOf(transfers)) === JSON.stringify(expected)
  }).catch(() => undefined)

  assert.deepEqual(endsOf(transfers), expected)
  t.diagnostic(`${transfers.length} transfers took ${Math.round(performance.now() - startedAt)} ms`)
  await expectExactBooks(place, { bulkId: bulk.request_id, transfers })
})

async function expectExactBooks(place: Place, bulk: { bulkId: string; transfers: Transfer[] }) {
  const cents = (amount: string) => Math.round(Number(amount) * 100)
  const sum = (...statuses: string[]) =>
    bulk.transfers.reduce(
      (total, { status }, index) => total + (statuses.includes(status) ? 1007 + index * 100 : 0),
      0
    )
  const returned = bulk.transfers.reduce((total, row) => total + cents(row.returned?.amount ?? '0'), 0)
  const account = await call(place, '/accounts/FR10474608000002006107XXXXX')
  const { balance, reserved } = account.body as { balance: string; reserved: string }
  assert.equal(cents(balance), 100_000_00 - sum('EXECUTED', 'RETURNED') + returned)
  assert.equal(cents(reserved), sum('UNKNOWN'))
  const status = (await call(place, `/transfers/bulk/${bulk.bulkId}/status`)).body as Record<string, unknown>
  assert.deepEqual([status['status'], status['needs_attention']], ['PROCESSING', true])
  assert.deepEqual((status['returned'] as { amount: string }).amount, (returned / 100).toFixed(2))
  const incidents = (await call(place, '/incidents?open=true')).body as { data: { kind: string }[] }
  assert.deepEqual(
    incidents.data.map(({ kind }) => kind),
    ['contradictory-result', 'contradictory-result']
  )
  const verification = await run(place, ['verify'])
  assert.equal(verification.code, 0, verification.stdout + verification.stderr)
}
