import assert from 'node:assert/strict'
import { it } from 'node:test'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { sealEvents } from '../../src/events/seal-events.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { aBulk, anOrganization, aTransfer, payer } from '../support/builders.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

/** Written as a client sends them, and as they are kept. */
const hidden = [
  'Zebedee',
  'Quarrington',
  'DE89370400440532013000',
  'DE89 3704',
  'DE00370400440532013000',
  'Bonus of Zeb',
  payer.organization_iban
]

it('no name, IBAN or description is in the log of a mixed run, in an error answer or in the audit log', async () => {
  const database = await createTestDatabase()
  const lines: string[] = []
  const log = createLog('trace', { write: (line: string) => void lines.push(line) })
  const context = { ...createTestContext(database), log }
  const organizationId = await anOrganization(context.db)
  const { ask, post } = await listen(context, { organizationId })
  const transfer = aTransfer({ counterparty_name: 'Zebedee Quarrington', description: 'Bonus of Zeb' })
  const right = aBulk({ credit_transfers: [transfer, transfer] })
  const wrong = { ...transfer, counterparty_iban: 'DE00370400440532013000' }
  const bulks = [
    right,
    { ...right, label: 'Zebedee' },
    aBulk({ credit_transfers: [wrong] }),
    aBulk({ credit_transfers: [{ ...transfer, amount: '99999999.00' }] }),
    { ...aBulk({ credit_transfers: [transfer] }), colour: 'Zebedee Quarrington' }
  ]
  const answers = []
  for (const bulk of bulks) answers.push(await post('/transfers/bulk', bulk))
  answers.push(await post('/transfers/bulk', JSON.stringify(right).slice(0, -20)))
  answers.push(await ask('/transfers/bulk/nothing'), await ask('/transfers/bulk?cursor=Quarrington'))
  for (let next = await claimWork(context, 'test'); next; next = await claimWork(context, 'test'))
    await executeClaim(context, next)
  await sealEvents(context.db)
  const refused = answers.filter(({ status }) => status >= 400)
  assert.equal(answers.length - refused.length, 1)
  assert.ok(lines.length >= answers.length)
  const written = {
    log: lines.join(''),
    answers: JSON.stringify(refused.map((answer): unknown => answer.body)),
    audit: JSON.stringify((await ask('/audit')).body)
  }
  for (const [where, text] of Object.entries(written))
    for (const word of hidden) assert.ok(!text.includes(word), `${word} in the ${where}: ${text}`)
})
